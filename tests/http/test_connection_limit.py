"""The limit of TCP connections: idle ones are closed first, others are refused, and health checks always work."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from app.web.limits import connections
from app.web.limits.connections import MIN_CONNECTIONS, RESERVE, ConnectionLimit
from app.web.server.http_protocol import HttpProtocol
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import IMAGE, settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.metrics import scrape
from tests.harness.operations import MUTATIONS
from tests.harness.raw_clients import open_socket, post
from tests.harness.raw_connection import RawConnection, open_connection, operation, parse_responses, request
from tests.harness.slow_store import SlowStore
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.slow

LIVEZ = request("GET", "/livez", "connection: close")
SLOWLY = b"POST /graphql HTTP/1.1\r\nhost: here\r\nx-"


@pytest.fixture
async def server(sqlite_databases: SqliteDatabases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(sqlite_databases.fresh(), max_open_connections=MIN_CONNECTIONS)) as server:
        yield server


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "GRACE_SECONDS", 0.05)
    monkeypatch.setattr(connections, "SEARCH_INTERVAL_SECONDS", 0.0)


async def filled(
    server: InProcessServer, held: AsyncExitStack, number: int, sent: bytes = SLOWLY
) -> list[RawConnection]:
    opened = [await held.enter_async_context(open_connection(server.port)) for _ in range(number)]
    for one in opened:
        await one.send(sent)
    await wait_until(lambda: _was_accepted(server, opened[-1]))
    return opened


def _was_accepted(server: InProcessServer, client: RawConnection) -> bool:
    """Whether the server has accepted this connection, and so all earlier ones. It may have been closed since."""
    address = client.writer.get_extra_info("sockname")
    return client.is_closed or any(one.client == address for one in server.connections)


@pytest.mark.usefixtures("no_grace")
async def test_a_slowloris_only_displaces_its_own_connections(server: InProcessServer) -> None:
    async with AsyncExitStack() as held:
        await filled(server, held, 3 * MIN_CONNECTIONS)
        await asyncio.sleep(0.1)  # longer than a new connection may take to send its request
        for sent, status in ((LIVEZ, 200), (operation("{ __typename }", "connection: close"), 200)):
            async with open_connection(server.port) as client:
                await client.send(sent)
                assert [one.status for one in parse_responses(await client.read_to_end())] == [status]
        assert len(server.connections) <= MIN_CONNECTIONS
        assert (await scrape(server.port)).total("connections_turned_away_total", reason="idle") > 0


async def test_without_idle_connections_new_ones_are_refused_and_health_checks_work(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpProtocol, "is_idle", lambda *_: False)
    async with AsyncExitStack() as held:
        await filled(server, held, MIN_CONNECTIONS)
        for sent, status in ((operation("{ __typename }"), 503), (LIVEZ, 200), (request("GET", "/graphql"), 503)):
            async with open_connection(server.port) as client:
                await client.send(sent)
                [refusals] = parse_responses(await client.read_to_end())
                assert refusals.status == status
                assert refusals.headers.get("retry-after") == ("1" if status == 503 else None)
        assert (await scrape(server.port)).total("connections_turned_away_total", reason="refused") == 2
        assert (await scrape(server.port)).total("connections_most") == MIN_CONNECTIONS


async def test_the_latest_health_checks_get_the_few_reserved_connections(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "GRACE_SECONDS", 3.0)
    monkeypatch.setattr(HttpProtocol, "is_idle", lambda *_: False)
    async with AsyncExitStack() as held:
        await filled(server, held, MIN_CONNECTIONS)
        late = await filled(server, held, RESERVE + 5, b"")
        assert await late[0].read_to_end() == b""
        assert len(server.connections) == MIN_CONNECTIONS + RESERVE
        async with open_connection(server.port) as client:
            await client.send(LIVEZ)
            assert [one.status for one in parse_responses(await client.read_to_end())] == [200]
        await wait_until(lambda: len(server.connections) == MIN_CONNECTIONS)


@pytest.mark.usefixtures("no_grace")
async def test_a_websocket_and_a_connection_with_a_request_are_not_idle(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SlowStore()
    store.delay_writes(monkeypatch)
    async with AsyncExitStack() as held:
        peer = await held.enter_async_context(open_socket(server))
        asking = asyncio.create_task(post(server, MUTATIONS["registerImage"], input=IMAGE))
        await wait_until(lambda: bool(store.started))
        await filled(server, held, 3 * MIN_CONNECTIONS)
        await asyncio.sleep(0.1)  # longer than a new connection may take to send its request
        await filled(server, held, MIN_CONNECTIONS)
        assert await peer.is_alive()
        store.release()
        assert (await asking).status == 200


def test_there_are_never_more_connections_than_file_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for("sqlite+aiosqlite:///none.db", max_open_connections=5_000)
    refusals = {}
    for files in (100, 1_024, 65_536, connections.resource.RLIM_INFINITY):
        monkeypatch.setattr(connections.resource, "getrlimit", lambda _, files=files: (files, files))
        refusals[files] = ConnectionLimit(settings).max

    assert list(refusals.values()) == [50, 874, 5_000, 5_000]
