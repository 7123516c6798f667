"""Clients that ask for much and read nothing of it: what waits for all of them in the process is bounded."""

import asyncio
import json
import socket
from contextlib import AsyncExitStack, ExitStack

import pytest

from app.web.limits import stalled
from tests.harness.askers import post
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcess, in_this_process
from tests.harness.patience import until

QUERY = "{ images(first: 60) { nodes { tags } } }"
MOST_BYTES, CLIENTS = 500_000, 12


@pytest.fixture(params=["", "?long=way"], ids=["lane", "endpoint"])
def path(request: pytest.FixtureRequest) -> str:
    return f"/graphql{request.param}"


async def test_what_waits_for_http_clients_that_do_not_read_is_bounded(
    databases: Databases, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_this_process(settings_for(databases.fresh(), stall_seconds=60)) as server:
        await server.fill()
        monkeypatch.setattr(server.stalled, "_most_bytes", MOST_BYTES)
        with ExitStack() as held:
            for _ in range(CLIENTS):
                await _ask_and_read_nothing(server, path, held)
            await until(lambda: server.stalled.cut > 0)

            assert server.stalled.bytes <= MOST_BYTES
            assert (await post(server, "{ viewer { id } }")).told["data"] == {"viewer": {"id": "1"}}
        await until(lambda: not server.stalled.behind)


async def test_what_waits_for_websockets_that_do_not_read_is_bounded(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_this_process(settings_for(databases.fresh(), stall_seconds=60)) as server:
        await server.fill()
        monkeypatch.setattr(server.stalled, "_most_bytes", MOST_BYTES)
        async with AsyncExitStack() as held:
            for _ in range(CLIENTS):
                await held.enter_async_context(server.silent_client())
            await until(lambda: server.stalled.cut > 0)

            assert server.stalled.bytes <= MOST_BYTES
            assert (await post(server, "{ viewer { id } }")).status == 200


def test_the_connection_on_which_most_waits_is_cut() -> None:
    lines = [_Line(30), _Line(50), _Line(40)]
    behind = stalled.Stalled(most_bytes=100)
    for line in lines:
        behind.falls_behind(line)

    assert ([line.is_cut for line in lines], behind.cut, behind.bytes) == ([False, True, False], 1, 70)


class _Line:
    def __init__(self, size: int) -> None:
        self._size = size
        self.is_cut = False

    def get_write_buffer_size(self) -> int:
        return self._size

    def abort(self) -> None:
        self.is_cut = True


async def _ask_and_read_nothing(server: InProcess, path: str, held: ExitStack) -> None:
    client = held.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    loop, body = asyncio.get_running_loop(), json.dumps({"query": QUERY}).encode()
    await loop.sock_connect(client, ("127.0.0.1", server.port))
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {server.token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    await loop.sock_sendall(client, head.encode() + body)
