"""While services are away: reads go on and say how old they are, changes are UNAVAILABLE, and all heals by itself."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from itertools import combinations
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.cloud.cloud import Cloud
from tests.cloud.gateway import front_settings
from tests.cloud.lines import LinedCloud, lines_to
from tests.harness.databases import PostgresDatabases
from tests.harness.operations import MUTATIONS
from tests.harness.outages import database_outage
from tests.harness.server import Server, run_server
from tests.harness.waiting import PATIENCE_SECONDS, poll

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]
SERVICES = ("bus", "glance", "keystone", "store")
OUTAGES = [set(away) for number in (1, 2) for away in combinations(SERVICES, number)]
INBOX = "{ offers(status: [PENDING, ACCEPTED, REJECTED]) { nodes { status image { id } } } }"


class Site:
    """A gateway in front of a cloud whose services can be taken away."""

    def __init__(self, cloud: Cloud, lined: LinedCloud, server: Server, database_url: str) -> None:
        self.cloud = cloud
        self.consumer_id = cloud.projects["consumer"]
        self._lines = lined.lines
        self._server = server
        self._database_url = database_url

    async def send(self, user: str, query: str, token: str | None = None, **variables: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {token or await self.cloud.token(user)}"}
        body = {"query": query, "variables": variables}
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client:
            return await client.post(self._server.url, json=body, headers=headers)

    async def offer(self, image_id: str) -> dict[str, Any]:
        """The whole response to an offer to the consumer."""
        offer = {"imageId": image_id, "tenantIds": [self.consumer_id]}
        return (await self.send("producer", MUTATIONS["offerImage"], input=offer)).json()

    async def shows(self, image_id: str, status: str) -> None:
        """Wait until the inbox shows the offer of this image in this status."""

        async def is_shown() -> bool:
            data = (await self.send("consumer", INBOX)).json().get("data")  # none while the store is away
            return bool(data) and {"status": status, "image": {"id": image_id}} in data["offers"]["nodes"]

        await poll(is_shown, 3 * PATIENCE_SECONDS)

    async def readiness(self) -> dict[str, str]:
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client:
            return (await client.get(f"{self._server.base}/readyz")).json()

    @asynccontextmanager
    async def without(self, away: set[str]) -> AsyncGenerator[None]:
        """Take these services away until the block ends."""
        async with AsyncExitStack() as healing:
            with ExitStack() as outage:
                if "store" in away:
                    outage.enter_context(database_outage(self._database_url))
                for line in (line for name, line in self._lines.items() if name in away):
                    await line.cut()
                    healing.push_async_callback(line.connect)
                yield


@pytest.fixture(scope="module")
async def site(
    cloud: Cloud, postgres_databases: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Site]:
    database_url = postgres_databases.fresh()
    await cloud.image()  # Glance's exchange is there from its first notification on
    async with lines_to(cloud) as lined:
        settings: dict[str, Any] = front_settings(lined.cloud) | {
            "upstream_seconds": 10,
            "upstream_poll_seconds": 0.5,
            "upstream_sweep_rate": 50,
            "upstream_stale_seconds": 2,
            "upstream_bus_queue": f"tests-{uuid4().hex}",
        }
        if lined.cloud.bus_url is not None:
            settings["upstream_bus_url"] = lined.cloud.bus_url.replace("rabbit:", "amqp:")
        with run_server(tmp_path_factory.mktemp("server"), database_url=database_url, **settings) as server:
            yield Site(cloud, lined, server, database_url)


@pytest.mark.parametrize("away", OUTAGES, ids=lambda away: " and ".join(sorted(away)))
async def test_whatever_is_away_reads_go_on_changes_do_not_half_happen_and_all_heals(
    site: Site, cloud: Cloud, away: set[str], bus_url: str
) -> None:
    before, during = [await cloud.image() for _ in range(2)]
    async with cloud.images("producer") as images:
        members = {"member": site.consumer_id}
        await images.post(f"/images/{before}/members", json=members)
        await site.shows(before, "PENDING")
        strange = await cloud.fresh_token("second")

        async with site.without(away):
            await images.post(f"/images/{during}/members", json=members)
            if "store" not in away:
                await reads_go_on(site, before, is_stale="glance" in away)
            if "glance" in away or "store" in away:
                answer = await site.send("consumer", MUTATIONS["acceptOffer"], input={"imageId": before})
                assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["UNAVAILABLE"]
            if "keystone" in away:
                answer = await site.send("second", INBOX, strange)
                assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")

        await site.shows(during, "PENDING")
        await site.shows(before, "PENDING")  # what was UNAVAILABLE has not happened
        answer = (await site.send("consumer", MUTATIONS["acceptOffer"], input={"imageId": during})).json()
        assert answer["data"]["acceptOffer"]["errors"] == []

        async def has_recovered() -> bool:
            readiness = await site.readiness()
            assert readiness["status"] == "ok"
            return readiness == {"status": "ok"}

        await poll(has_recovered)


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
