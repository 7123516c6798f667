"""Several server processes on one PostgreSQL, and what a server keeps of disconnected clients."""

import asyncio
import json
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import websockets

from tests.harness.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import (
    LARGE_QUERY,
    PATIENCE_SECONDS,
    PROTOCOL,
    InProcessServer,
    run_in_process,
    wait_for_tasks,
)
from tests.harness.kernel import workers_of
from tests.harness.operations import WATCH
from tests.harness.server import STOP_SECONDS, run_server
from tests.harness.sockets import connect_socket
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.slow


async def test_changes_made_at_one_worker_reach_watches_at_another_in_order(
    postgres_databases: PostgresDatabases, tmp_path: Path
) -> None:
    url = postgres_databases.fresh()
    first_folder, second_folder = tmp_path / "first", tmp_path / "second"
    first_folder.mkdir()
    second_folder.mkdir()
    with run_server(first_folder, database_url=url) as first, run_server(second_folder, database_url=url) as second:
        owner, consumer = first.token("1"), first.token("2")
        async with connect_socket(first, consumer) as here, connect_socket(second, consumer) as there:
            for peer in (here, there):
                await peer.subscribe(WATCH)
                await peer.next_item()
            image = first.register(owner)
            first.do("offerImage", owner, imageId=image, tenantIds=["2"])
            second.do("acceptOffer", consumer, imageId=image)
            first.do("revokeMember", owner, imageId=image, tenantId="2")
            received = [[await peer.next_item() for _ in range(3)] for peer in (here, there)]

    assert [item["kind"] for item in received[0]] == ["OFFERED", "ANSWERED", "REVOKED"]
    assert [item["cursor"] for item in received[0]] == [item["cursor"] for item in received[1]]


@pytest.mark.usefixtures("new_interpreters")
async def test_several_workers_serve_one_port_and_a_killed_one_is_replaced(
    postgres_databases: PostgresDatabases, tmp_path: Path
) -> None:
    with run_server(tmp_path, database_url=postgres_databases.fresh(), workers=2) as server:
        owner, consumer = server.token("1"), server.token("2")
        image = server.register(owner)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(workers := workers_of(server.process.pid)) < 2:
                await asyncio.sleep(0.1)
        os.kill(workers[0], signal.SIGKILL)
        server.renew_client()  # the old client may have a connection to the dying worker
        async with connect_socket(server, consumer) as peer:
            await peer.subscribe(WATCH)
            await peer.next_item()
            server.do("offerImage", owner, imageId=image, tenantIds=["2"])
            assert (await peer.next_item())["kind"] == "OFFERED"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(set(workers_of(server.process.pid)) - {workers[0]}) < 2:
                await asyncio.sleep(0.1)
        assert server.terminate() == 0
    assert not any(_is_running(worker) for worker in workers)


def _is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}/status").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text()


@pytest.mark.engine("postgres")
async def test_a_flood_of_aborted_sockets_leaves_no_task_behind(databases: Databases) -> None:
    async with run_in_process(settings_for(databases.fresh())) as server:
        # The first read opens resources that all requests share.
        await server.planner.answer("{ viewer { id } }", None, {}, server.gateway.tenant("1").caller)
        before = len(asyncio.all_tasks())
        await asyncio.gather(*(_open_and_abort(server) for _ in range(30)))
        await wait_for_tasks(before)


async def test_stalled_clients_hold_no_resources_of_the_store(
    sqlite_databases: SqliteDatabases,
) -> None:
    async with run_in_process(settings_for(sqlite_databases.fresh())) as server:
        await server.fill()
        async with server.stalled_client(), asyncio.timeout(PATIENCE_SECONDS):
            await server.gateway.tenant("1").get("{ images { totalCount } }")
            for _ in range(20):
                await server.services.feed.head()
            while server.services.store.reader.pool.checkedout():  # type: ignore[attr-defined]
                await asyncio.sleep(0.01)


async def test_a_stalled_client_is_disconnected_and_leaves_nothing_behind(
    sqlite_databases: SqliteDatabases,
) -> None:
    # The kernel could do it too, but here the gateway has to.
    settings = settings_for(sqlite_databases.fresh(), stall_seconds=0.5)
    async with run_in_process(settings, kernel_aborts=False) as server:
        await server.fill()
        before = len(asyncio.all_tasks())
        async with server.stalled_client():
            of_the_client_itself = 2
            await wait_until(lambda: len(asyncio.all_tasks()) > before + of_the_client_itself)
            await wait_for_tasks(before + of_the_client_itself, seconds=15)


async def test_a_client_that_reads_slowly_is_not_treated_as_stalled(
    sqlite_databases: SqliteDatabases,
) -> None:
    settings = settings_for(sqlite_databases.fresh(), stall_seconds=6)
    async with run_in_process(settings) as server:
        await server.fill()
        read = await server.read_slowly(chunks=70, pause=0.1)

    assert read == 70


async def test_a_server_with_200_watches_and_a_stalled_reader_stops_on_sigterm(tmp_path: Path) -> None:
    with run_server(tmp_path) as server:
        token = server.token("1")
        tags = [f"{tag} " + "x" * 70 for tag in range(50)]
        for _ in range(60):
            server.register(token, tags=tags)
        async with AsyncExitStack() as held:
            stalled = await held.enter_async_context(connect_socket(server, token, max_queue=1, max_size=None))
            for number in range(30):
                await stalled.subscribe(LARGE_QUERY, str(number))
            peers = [await held.enter_async_context(connect_socket(server, token)) for _ in range(40)]
            for peer in peers:
                for number in range(5):
                    await peer.subscribe(WATCH, str(number))
                for _ in range(5):
                    await peer.receive()
            server.process.send_signal(signal.SIGTERM)
            codes = [await peer.close_code() for peer in peers]
            ended = await asyncio.to_thread(server.process.wait, STOP_SECONDS)
            stalled.connection.transport.abort()

    assert set(codes) == {1012}
    assert ended == 0


async def _open_and_abort(server: InProcessServer) -> None:
    """Start 20 operations, including ten watches, and abort the connection."""
    async with websockets.connect(server.url, subprotocols=[PROTOCOL]) as socket:
        init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {server.token}"}}
        await socket.send(json.dumps(init))
        for number in range(20):
            query = WATCH if number % 2 else "{ images { totalCount } }"
            await socket.send(json.dumps({"type": "subscribe", "id": str(number), "payload": {"query": query}}))
        await socket.recv()
        socket.transport.abort()
