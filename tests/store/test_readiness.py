"""A server is ready while its store responds, and becomes ready again by itself after an outage."""

import httpx2
import pytest

from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import run_in_process
from tests.harness.outages import database_outage
from tests.harness.waiting import wait_until

QUERY = {"query": "{ viewer { id } }"}


@pytest.mark.slow
async def test_a_server_is_not_ready_during_an_outage_and_recovers(
    postgres_databases: PostgresDatabases,
) -> None:
    url = postgres_databases.fresh()
    async with run_in_process(settings_for(url)) as server:
        base = f"http://127.0.0.1:{server.port}"
        headers = {"Authorization": f"Bearer {server.token_of('1')}"}
        async with httpx2.AsyncClient(base_url=base, headers=headers, timeout=30) as client:
            assert (await client.get("/readyz")).status_code == 200
            with database_outage(url):
                await wait_until(lambda: not server.services.feed.is_healthy)
                ready, alive = await client.get("/readyz"), await client.get("/livez")
                assert (ready.status_code, alive.status_code) == (503, 200)
                assert ready.json()["reason"] == "the store can't be reached"
                assert (await client.post("/graphql", json=QUERY)).status_code == 503
            await wait_until(lambda: server.services.feed.is_healthy)
            assert (await client.get("/readyz")).status_code == 200
            assert (await client.post("/graphql", json=QUERY)).json() == {"data": {"viewer": {"id": "1"}}}
