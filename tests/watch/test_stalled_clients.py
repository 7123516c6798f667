"""A client that stops reading is disconnected; once it reads again, it resumes by itself and misses nothing."""

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.proxy import Proxy, Streams
from tests.clients.test_resume import CLIENTS
from tests.harness.databases import SqliteDatabases
from tests.harness.kernel import connection_count
from tests.harness.node import Run
from tests.harness.resuming_clients import UNTIL, run_watcher
from tests.harness.server import Server, run_server
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.slow

SMALL = 8_192
MOUTHFULS = 20


@asynccontextmanager
async def narrow_proxy(server: Server) -> AsyncGenerator[tuple[Proxy, int]]:
    """A proxy with so little buffer space that the server soon notices a client that does not read."""

    async def dial() -> Streams:
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        line.setblocking(False)
        await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", server.port))
        return await asyncio.open_connection(sock=line, limit=SMALL)

    proxy = Proxy([dial])
    front = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        yield proxy, front.sockets[0].getsockname()[1]
    finally:
        front.close()


@pytest.mark.parametrize(
    "client",
    [pytest.param(one, marks=pytest.mark.long) if one in ("apollo", "urql", "python") else one for one in CLIENTS],
)
async def test_a_stalled_client_is_disconnected_and_misses_nothing(
    node: Run, sqlite_databases: SqliteDatabases, tmp_path: Path, client: str
) -> None:
    tokens = tmp_path / "token"
    url = sqlite_databases.fresh()
    with run_server(tmp_path, database_url=url, bookmark_seconds=0.5, stall_seconds=1, member_quota=-1) as server:
        tokens.write_text(owner := server.token("1"))
        image = server.register(owner)
        async with narrow_proxy(server) as (proxy, port):
            with run_watcher(client, server, tokens, f"ws://127.0.0.1:{port}/graphql") as process:
                assert (await _next(process))["__typename"] == "WatchBookmark"
                due = await _stall(proxy, server, owner, image)
                server.do("offerImage", owner, imageId=image, tenantIds=[UNTIL])
                received = [item async for item in _rest(process) if item["__typename"] == "MemberStatusChanged"]

    assert [item["tenant"]["id"] for item in received] == [*due, UNTIL]
    assert len({item["cursor"] for item in received}) == len(received)


async def _stall(proxy: Proxy, server: Server, owner: str, image: str) -> list[str]:
    """Stall the client's connection until the server closes it, and return the tenants that got offers meanwhile."""
    [link] = proxy.links
    link.stall(True)
    due: list[str] = []
    for mouthful in range(MOUTHFULS):
        consumers = [str(1_000 + 100 * mouthful + number) for number in range(100)]
        await asyncio.to_thread(server.do, "offerImage", owner, imageId=image, tenantIds=consumers)
        due += consumers
    server.client.close()
    await wait_until(lambda: connection_count(server.port) == 0)
    server.renew_client()
    link.stall(False)
    return due


async def _next(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = await asyncio.to_thread(process.stdout.readline)
    assert line, "the client has ended"
    return json.loads(line)


async def _rest(process: subprocess.Popen[str]) -> AsyncGenerator[Any]:
    while True:
        item = await _next(process)
        yield item
        if item.get("tenant", {}).get("id") == UNTIL:
            return
