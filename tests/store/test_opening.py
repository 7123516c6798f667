"""A worker that starts while PostgreSQL is down or not migrated is alive, and becomes ready by itself."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.harness.databases import PostgresDatabases, upgrade
from tests.harness.kernel import workers_of
from tests.harness.outages import database_outage
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, error_code, run_server
from tests.harness.sockets import connect_socket
from tests.harness.waiting import wait_until
from tests.http.test_sse import EVENTS

pytestmark = pytest.mark.slow

VIEWER = "{ viewer { id } }"
OWN = "{ images { totalCount watchCursor } }"
REGISTER = (
    'mutation { registerImage(input: {name: "a", origin: IMPORT, sourceUrl: "https://a.example"}) { image { id } } }'
)
WATCH = "subscription { watchOffers { cursor } }"


@contextmanager
def started_in_an_outage(folder: Path, url: str, workers: int) -> Generator[tuple[Server, ExitStack]]:
    """A server started in an outage, and a resource whose closing ends the outage."""
    with ExitStack() as outage:
        outage.enter_context(database_outage(url))
        with run_server(folder, database_url=url, workers=workers, rate_per_tenant=100_000) as server:
            yield server, outage


def query_new_connection(server: Server, query: str, token: str) -> httpx2.Response:
    """The response of whichever worker accepts a new connection."""
    with httpx2.Client(base_url=server.base, timeout=20) as client:
        return client.post("/graphql", json={"query": query}, headers=bearer(token))


def ready(server: Server) -> int:
    with httpx2.Client(base_url=server.base, timeout=20) as client:
        return client.get("/readyz").status_code


async def is_ready(server: Server, workers: int) -> None:
    await wait_until(lambda: server.log.count("the store is available") == workers, 60)
    assert ready(server) == 200


async def refuses_what_needs_the_store(server: Server, token: str) -> None:
    assert (server.client.get("/livez").status_code, ready(server)) == (200, 503)
    assert server.client.get("/metrics").status_code == 200
    for query in (VIEWER, OWN, REGISTER):
        answer = query_new_connection(server, query, token)
        assert (answer.status_code, error_code(answer)) in ((503, "UNAVAILABLE"), (200, "UNAVAILABLE")), query
    assert server.get(OWN, token).status_code == 503
    assert "event: complete" not in server.post(WATCH, token, EVENTS).text
    assert query_new_connection(server, "{ __schema { queryType { name } } }", token).status_code == 200
    async with connect_socket(server, token) as peer:
        await peer.subscribe(WATCH)
        assert await peer.close_code() == 1013


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_worker_started_in_an_outage_becomes_ready_by_itself(
    postgres_databases: PostgresDatabases, tmp_path: Path, workers: int
) -> None:
    with started_in_an_outage(tmp_path, postgres_databases.fresh(), workers) as (server, outage):
        token = server.token(fresh_id())
        before = workers_of(server.process.pid)
        await refuses_what_needs_the_store(server, token)
        outage.close()
        await is_ready(server, workers)

        assert workers_of(server.process.pid) == before
        assert server.data(OWN, token)["images"]["totalCount"] == 0
        async with connect_socket(server, token) as peer:
            await peer.subscribe(WATCH)
            assert (await peer.receive())["type"] == "next"
            server.register(token)
        assert server.terminate() == 0
    assert '"level": "error"' not in server.log
    assert server.log.count("waiting for the store") == workers


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_worker_also_waits_for_an_unmigrated_database(
    postgres_databases: PostgresDatabases, tmp_path: Path, workers: int
) -> None:
    url = postgres_databases.blank()
    with started_in_an_outage(tmp_path, url, workers) as (server, outage):
        token = server.token(fresh_id())
        outage.close()
        await wait_until(lambda: server.log.count("image-gateway migrate") == workers, 60)
        await refuses_what_needs_the_store(server, token)
        await asyncio.to_thread(upgrade, url)
        await is_ready(server, workers)
        assert server.data(OWN, token)["images"]["totalCount"] == 0
        assert server.terminate() == 0
    assert '"level": "error"' not in server.log


@pytest.mark.parametrize("kind", ["refused", "silent"])
def test_a_server_that_is_still_waiting_shuts_down_cleanly(tmp_path: Path, kind: str) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        if kind == "silent":
            held.listen()
        url = f"postgresql+psycopg://user:hunter2@127.0.0.1:{held.getsockname()[1]}/name"
        with run_server(tmp_path, database_url=url) as server:
            assert (server.client.get("/livez").status_code, ready(server)) == (200, 503)
            assert server.terminate() == 0
    assert "hunter2" not in server.log
    assert '"level": "error"' not in server.log
