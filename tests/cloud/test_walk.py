"""A random walk: people change members in Glance and through two gateways, which crash, and lose and double events.

At the end both views are equal, and no event contradicts what PostgreSQL's log says has really happened.
"""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import psycopg
import pytest

from app.mirror.bus import BusListener
from app.mirror.look import Mirror
from app.upstream.errors import Unanswered
from tests.cloud.cloud import Cloud
from tests.cloud.gateway import settings_before
from tests.cloud.history import Key, recorded
from tests.cloud.users import Front
from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import start_gateway

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(1_800)]
STEPS, CRASHES, LOST, DOUBLED = 250, 0.1, 0.2, 0.2
CONSUMERS = ("consumer", "second")
PATIENCE_SECONDS = 300
STATUSES = {"acceptOffer": "accepted", "rejectOffer": "rejected", "deferOffer": "pending"}


class CrashingMirror(Mirror):
    """Of a process that may end after Glance's answer, before it has looked."""

    async def look(self, image_id: str) -> None:
        if random.random() < CRASHES:
            raise Unanswered("the process ends here")
        await super().look(image_id)


@asynccontextmanager
async def gateway(cloud: Cloud, database_url: str, bus_url: str | None) -> AsyncGenerator[Front]:
    changes: dict[str, Any] = {"upstream_poll_seconds": 0.5, "upstream_sweep_rate": 4}
    if bus_url is not None:
        changes["upstream_bus_url"] = bus_url.replace("rabbit:", "amqp:")
    async with start_gateway(settings_before(cloud, database_url, **changes)) as running_gateway:
        services = running_gateway.services
        carrier: Any = services.upstream
        mirror = CrashingMirror(services.store, carrier._front.mirror._source)
        carrier._front = replace(carrier._front, mirror=mirror)
        yield Front(cloud, running_gateway)


async def through(front: Front, images: list[str]) -> None:
    """Steps through a gateway. Some are refused and some have no answer, as it comes."""
    users = {name: await front.user(name) for name in ("producer", *CONSUMERS)}
    for _ in range(STEPS):
        image_id, consumer = random.choice(images), random.choice(CONSUMERS)
        tenant_id = front.cloud.projects[consumer]
        if random.random() < 0.5:
            act = random.choice(("offerImage", "offerImage", "revokeMember"))
            named = {"tenantIds": [tenant_id]} if act == "offerImage" else {"tenantId": tenant_id}
            await users["producer"].execute(MUTATION[act], input={"imageId": image_id, **named})
        else:
            await users[consumer].execute(MUTATION[random.choice(list(STATUSES))], input={"imageId": image_id})


async def beside(cloud: Cloud, images: list[str]) -> None:
    """Steps in Glance, as the `openstack` command makes them."""
    async with cloud.images("producer") as owner, cloud.images("consumer") as one, cloud.images("second") as other:
        for _ in range(STEPS):
            members = f"/images/{random.choice(images)}/members"
            name, client = random.choice(list(zip(CONSUMERS, (one, other), strict=True)))
            tenant_id = cloud.projects[name]
            match random.choice(("offer", "offer", "revoke", "answer", "answer", "answer")):
                case "offer":
                    await owner.post(members, json={"member": tenant_id})
                case "revoke":
                    await owner.delete(f"{members}/{tenant_id}")
                case _:
                    status = random.choice(list(STATUSES.values()))
                    await client.put(f"{members}/{tenant_id}", json={"status": status})


MUTATION = {
    name: f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ errors {{ code }} }} }}"
    for name in ("offerImage", "revokeMember", *STATUSES)
}


async def imported(database_url: str, images: list[str]) -> None:
    """Until the first look at each image, what is found there counts as having been there before the gateway."""
    query = "SELECT count(*) FROM mirrored_image WHERE image_id = ANY(%s) AND seen >= 0"
    async with asyncio.timeout(PATIENCE_SECONDS):
        with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
            while connection.execute(query, (images,)).fetchone() != (len(images),):
                await asyncio.sleep(0.5)


async def in_glance(cloud: Cloud, images: list[str]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    async with cloud.images("observer") as observer:
        for image_id in images:
            rows = (await observer.get(f"/images/{image_id}/members")).json()["members"]
            for row in sorted(rows, key=lambda row: row["updated_at"]):
                found[image_id, row["member_id"]] = row["status"].upper()
    return found


def mirrored(database_url: str, images: list[str]) -> dict[Key, str]:
    query = "SELECT image_id, tenant_id, status FROM member WHERE image_id = ANY(%s)"
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        return {(image, tenant): status for image, tenant, status in connection.execute(query, (images,))}


def events(database_url: str, images: list[str]) -> list[tuple[Key, str | None, str | None]]:
    query = (
        "SELECT image_id, tenant_id, previous_status, status FROM event "
        "WHERE kind IS NOT NULL AND image_id = ANY(%s) ORDER BY seq"
    )
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        return [((row[0], row[1]), row[2], row[3]) for row in connection.execute(query, (images,))]


async def test_no_event_contradicts_the_true_order_and_both_views_end_equal(
    cloud: Cloud, postgres_databases: PostgresDatabases
) -> None:
    random.seed(17)
    database_url, images = postgres_databases.fresh(), [await cloud.image(f"walk{number}") for number in range(4)]
    mark = BusListener._mark

    async def unreliable(self: BusListener, image_id: str) -> None:
        if random.random() >= LOST:
            await mark(self, image_id)
            if random.random() < DOUBLED:
                await mark(self, image_id)

    with patch.object(BusListener, "_mark", unreliable), recorded(cloud.glance_database_url) as history:
        async with gateway(cloud, database_url, cloud.bus_url) as first, gateway(cloud, database_url, None) as second:
            await imported(database_url, images)
            walks = [through(first, images), through(second, images), beside(cloud, images), beside(cloud, images)]
            await asyncio.gather(*walks)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (there := await in_glance(cloud, images)) != mirrored(database_url, images):
                    await asyncio.sleep(0.5)
        truth = history.steps()

    told = events(database_url, images)
    last: dict[Key, str | None] = {}
    place: dict[Key, int] = {}
    for key, before, after in told:
        assert last.get(key) == before, f"the chain of {key} is broken"
        last[key] = after
        later = [at for at in range(place.get(key, 0), len(truth[key])) if after in truth[key][at]]
        assert later, f"{key} was never {after} after what was told before"
        place[key] = later[0]
    assert {key: status for key, status in last.items() if status is not None} == there
    assert len(told) > STEPS / 2
