"""A random walk: people change members in Glance and through two gateways, which crash, and lose and double events.

At the end both views are equal, no event contradicts what PostgreSQL's log says has really happened, and each watch had
every event once and in order. The same walk finds bugs that are planted.
"""

import asyncio
import os
import random
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pytest

from app.mirror.bus import BusListener
from app.mirror.look import Mirror
from app.upstream.errors import Unanswered
from app.upstream.views import View
from tests.cloud import plants
from tests.cloud.cloud import Cloud
from tests.cloud.gateway import settings_before
from tests.cloud.history import Key, recorded
from tests.cloud.plants import AnswerSource
from tests.cloud.users import Front
from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import start_gateway

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(1_800)]
STEPS, COMMANDS, CRASHES, LOST, DOUBLED = 250, 8, 0.1, 0.2, 0.2
# With a planted bug, walks are short, and there are several until one finds it.
SHORT_STEPS, WALKS = 100, 6
CONSUMERS = ("consumer", "second")
PATIENCE_SECONDS = 120
STATUSES = {"acceptOffer": "accepted", "rejectOffer": "rejected", "deferOffer": "pending"}
Event = tuple[Key, str | None, str | None]
WATCH = """subscription { watchOffers {
  cursor ... on MemberStatusChanged { imageId tenant { id } previousStatus status }
} }"""


class CrashingMirror(Mirror):
    """Of a process that may end after Glance's answer, before it has looked."""

    async def look(self, image_id: str) -> None:
        if random.random() < CRASHES:
            raise Unanswered("the process ends here")
        await super().look(image_id)


class SlowSource:
    """A source whose views may be overtaken by others on their way."""

    def __init__(self, source: Any) -> None:
        self._source = source

    async def view(self, image_id: str) -> View | None:
        view = await self._source.view(image_id)
        await asyncio.sleep(random.choice((0, 0, 0.05, 0.2)))
        return view


@asynccontextmanager
async def gateway(
    cloud: Cloud, database_url: str, bus_url: str | None, sweep_rate: float, bug: str | None
) -> AsyncGenerator[Front]:
    changes: dict[str, Any] = {"upstream_poll_seconds": 0.5, "upstream_sweep_rate": sweep_rate}
    if bus_url is not None:
        changes["upstream_bus_url"] = bus_url.replace("rabbit:", "amqp:")
    async with start_gateway(settings_before(cloud, database_url, **changes)) as running_gateway:
        services = running_gateway.services
        carrier: Any = services.upstream
        glance: Any = carrier._front.images
        carrier._front.mirror._source = SlowSource(glance)
        if bug == plants.ANSWERS:
            glance = AnswerSource(services.store, glance)
        mirror = CrashingMirror(services.store, SlowSource(glance))
        carrier._front = replace(carrier._front, images=glance, mirror=mirror)
        yield Front(cloud, running_gateway)


async def through(front: Front, images: Sequence[str], steps: int) -> None:
    """Steps through a gateway. Some are refused and some have no answer, as it comes."""
    users = {name: await front.user(name) for name in ("producer", *CONSUMERS)}
    for _ in range(steps):
        image_id, consumer = random.choice(images), random.choice(CONSUMERS)
        tenant_id = front.cloud.projects[consumer]
        if random.random() < 0.5:
            act = random.choice(("offerImage", "offerImage", "revokeMember"))
            named = {"tenantIds": [tenant_id]} if act == "offerImage" else {"tenantId": tenant_id}
            await users["producer"].execute(MUTATION[act], input={"imageId": image_id, **named})
        else:
            await users[consumer].execute(MUTATION[random.choice(list(STATUSES))], input={"imageId": image_id})


async def with_the_sdk(cloud: Cloud, images: Sequence[str], steps: int) -> None:
    """Steps in Glance with openstacksdk."""
    consumers = ",".join(f"{name}={cloud.projects[name]}" for name in CONSUMERS)
    script = Path(__file__).parent / "sdk_person.py"
    command = [cloud.environment.program("python"), str(script), str(random.randrange(1_000)), str(steps), consumers]
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(cloud.folder / "clouds.yaml")}
    await asyncio.to_thread(partial(subprocess.run, [*command, *images], env=environment, check=True))


async def by_command(cloud: Cloud, images: Sequence[str], steps: int) -> None:
    """Steps in Glance by the `openstack` command."""
    for _ in range(steps):
        image_id, name = random.choice(images), random.choice(CONSUMERS)
        tenant_id = cloud.projects[name]
        step = random.choice(("add", "remove", "--accept", "--reject", "--pending"))
        try:
            if step.startswith("--"):
                await cloud.openstack(name, "image", "set", step, image_id)
            else:
                await cloud.openstack("producer", "image", step, "project", image_id, tenant_id)
        except subprocess.CalledProcessError:  # refused, as it comes
            continue


MUTATION = {
    name: f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ errors {{ code }} }} }}"
    for name in ("offerImage", "revokeMember", *STATUSES)
}


class Watcher:
    """A watch of one tenant on one gateway, and what it was told."""

    def __init__(self, front: Front, user: str) -> None:
        self._front = front
        self._user = user
        self.told: list[Event] = []

    async def run(self, is_ready: asyncio.Event) -> None:
        tenant = await self._front.user(self._user)
        async with tenant.watch(query=WATCH) as items:
            async for item in items:
                is_ready.set()
                if "status" in item:
                    key = item["imageId"], item["tenant"]["id"]
                    self.told.append((key, item["previousStatus"], item["status"]))


async def imported(database_url: str, images: Sequence[str]) -> None:
    """Until the first look at each image, what is found there counts as having been there before the gateway."""
    query = "SELECT count(*) FROM mirrored_image WHERE image_id = ANY(%s) AND seen >= 0"
    async with asyncio.timeout(PATIENCE_SECONDS):
        with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
            while connection.execute(query, (list(images),)).fetchone() != (len(images),):
                await asyncio.sleep(0.5)


async def in_glance(cloud: Cloud, images: Sequence[str]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    async with cloud.images("observer") as observer:
        for image_id in images:
            rows = (await observer.get(f"/images/{image_id}/members")).json()["members"]
            for row in sorted(rows, key=lambda row: row["updated_at"]):
                found[image_id, row["member_id"]] = row["status"].upper()
    return found


def mirrored(database_url: str, images: Sequence[str]) -> dict[Key, str]:
    query = "SELECT image_id, tenant_id, status FROM member WHERE image_id = ANY(%s)"
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        return {(image, tenant): status for image, tenant, status in connection.execute(query, (list(images),))}


def events(database_url: str, images: Sequence[str]) -> list[Event]:
    query = (
        "SELECT image_id, tenant_id, previous_status, status FROM event "
        "WHERE kind IS NOT NULL AND image_id = ANY(%s) ORDER BY seq"
    )
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        return [((row[0], row[1]), row[2], row[3]) for row in connection.execute(query, (list(images),))]


def contradictions(told: Sequence[Event], truth: dict[Key, list[set[str | None]]], there: dict[Key, str]) -> list[str]:
    """Events that do not follow from one another, from what has happened, or that do not lead to what there is."""
    last: dict[Key, str | None] = {}
    place: dict[Key, int] = {}
    found: list[str] = []
    for key, before, after in told:
        if last.get(key) != before:
            found.append(f"the chain of {key} is broken at {before} to {after}")
        last[key] = after
        later = [at for at in range(place.get(key, 0), len(truth[key])) if after in truth[key][at]]
        if not later:
            found.append(f"{key} was never {after} after what was told before")
        place[key] = later[0] if later else place.get(key, 0)
    if {key: status for key, status in last.items() if status is not None} != there:
        found.append("the last events are not what there is")
    return found


async def walk(
    cloud: Cloud, database_url: str, steps: int, bug: str | None = None, patience: float = PATIENCE_SECONDS
) -> tuple[list[str], int]:
    """What is wrong after a random walk of so many steps by each person, and the number of events.

    To forget marks shows only where nothing else finds the image: then people act through the gateways alone.
    """
    images = [await cloud.image(f"walk{number}") for number in range(4)]
    is_alone = bug == plants.MARKS
    sweep_rate, bus_url = (0, None) if is_alone else (20, cloud.bus_url)
    with plants.planted(bug), recorded(cloud.glance_database_url) as history:
        async with AsyncExitStack() as stack:
            fronts = [
                await stack.enter_async_context(gateway(cloud, database_url, url, sweep_rate, bug))
                for url in (bus_url, None)
            ]
            await imported(database_url, images)
            watchers = [] if bug else [Watcher(front, user) for front in fronts for user in ("producer", "consumer")]
            watching = await _begin(watchers)
            people = [through(front, images, steps) for front in fronts]
            if not is_alone:
                people += [with_the_sdk(cloud, images, steps) for _ in range(2)]
                people.append(by_command(cloud, images, 0 if bug else COMMANDS))
            await asyncio.gather(*people)
            problems = await _differences(cloud, database_url, images, patience)
            told = events(database_url, images)
            problems += await _missed(watchers, told, cloud.projects["consumer"])
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        return problems + contradictions(told, history.steps(), await in_glance(cloud, images)), len(told)


async def _begin(watchers: Sequence[Watcher]) -> "list[asyncio.Task[None]]":
    ready = [asyncio.Event() for _ in watchers]
    tasks = [asyncio.create_task(one.run(event)) for one, event in zip(watchers, ready, strict=True)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        for event in ready:
            await event.wait()
    return tasks


async def _differences(cloud: Cloud, database_url: str, images: Sequence[str], patience: float) -> list[str]:
    """Wait until both views are equal."""
    try:
        async with asyncio.timeout(patience):
            while await in_glance(cloud, images) != mirrored(database_url, images):
                await asyncio.sleep(0.5)
    except TimeoutError:
        return ["the views are not equal"]
    return []


async def _missed(watchers: Sequence[Watcher], told: Sequence[Event], consumer_id: str) -> list[str]:
    """Watches that were told of something else, or in another order, than what the log has for them."""
    wrong: list[str] = []
    for watcher in watchers:
        expected = [event for event in told if watcher._user == "producer" or event[0][1] == consumer_id]
        images = {event[0][0] for event in told}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len([one for one in watcher.told if one[0][0] in images]) < len(expected):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pass
        if [one for one in watcher.told if one[0][0] in images] != expected:
            wrong.append(f"a watch of the {watcher._user} was not told what the log has")
    return wrong


@pytest.fixture
def unreliable_bus() -> Any:
    """Notifications that get lost, and that come twice."""
    mark = BusListener._mark

    async def unreliable(self: BusListener, image_id: str) -> None:
        if random.random() >= LOST:
            await mark(self, image_id)
            if random.random() < DOUBLED:
                await mark(self, image_id)

    with patch.object(BusListener, "_mark", unreliable):
        yield


@pytest.mark.usefixtures("unreliable_bus")
async def test_no_event_contradicts_the_true_order_and_both_views_end_equal(
    cloud: Cloud, postgres_databases: PostgresDatabases
) -> None:
    random.seed(17)
    problems, events_told = await walk(cloud, postgres_databases.fresh(), STEPS)

    assert problems == []
    assert events_told > STEPS / 2


@pytest.mark.usefixtures("unreliable_bus")
@pytest.mark.parametrize("bug", [plants.ANSWERS, plants.VERSIONS, plants.MARKS])
async def test_a_planted_bug_is_found(cloud: Cloud, postgres_databases: PostgresDatabases, bug: str) -> None:
    for seed in range(WALKS):
        random.seed(seed)
        problems, _ = await walk(cloud, postgres_databases.fresh(), SHORT_STEPS, bug, patience=20)
        if problems:
            return
    pytest.fail(f"{WALKS} walks have not found that {bug}")
