"""Clients that request much and read nothing: the response bytes buffered for all of them are limited."""

import asyncio
import json
import socket
import tracemalloc
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from app.web.limits import unread
from tests.harness.databases import Databases
from tests.harness.gateway import IMAGE, settings_for
from tests.harness.inprocess import PATIENCE_SECONDS, InProcessServer, run_in_process
from tests.harness.operations import MUTATIONS
from tests.harness.raw_clients import EVENTS, JSON, open_socket, post
from tests.harness.waiting import wait_until

QUERY = "{ images(first: 60) { nodes { tags } } }"
COUNT = "{ images(first: 1) { totalCount } }"
MOST_BYTES, CLIENTS, OPERATIONS = 500_000, 12, 50


@pytest.fixture(params=["", "?long=way"], ids=["lane", "endpoint"])
def path(request: pytest.FixtureRequest) -> str:
    return f"/graphql{request.param}"


async def test_bytes_buffered_for_stalled_http_clients_are_limited(
    databases: Databases, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_in_process(settings_for(databases.fresh(), stall_seconds=60)) as server:
        await server.fill()
        monkeypatch.setattr(server.slow_readers, "_max_bytes", MOST_BYTES)
        with ExitStack() as held:
            for _ in range(CLIENTS):
                await _request_without_reading(server, path, held)
            await wait_until(lambda: server.slow_readers.cut > 0)

            assert server.slow_readers.bytes <= MOST_BYTES
            assert (await post(server, "{ viewer { id } }")).content["data"] == {"viewer": {"id": "1"}}
        await wait_until(lambda: not server.slow_readers.connections)


async def test_bytes_buffered_for_stalled_websockets_are_limited(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_in_process(settings_for(databases.fresh(), stall_seconds=60)) as server:
        await server.fill()
        monkeypatch.setattr(server.slow_readers, "_max_bytes", MOST_BYTES)
        async with AsyncExitStack() as held:
            for _ in range(CLIENTS):
                await held.enter_async_context(server.stalled_client())
            await wait_until(lambda: server.slow_readers.cut > 0)

            assert server.slow_readers.bytes <= MOST_BYTES
            assert (await post(server, "{ viewer { id } }")).status == 200


async def test_a_stalled_websocket_buffers_few_responses_and_gets_all_once_it_reads(
    databases: Databases,
) -> None:
    async with run_in_process(settings_for(databases.fresh(), stall_seconds=60)) as server:
        await server.fill()
        response = len((await post(server, QUERY)).body)
        async with open_socket(server) as peer:
            peer.connection.transport.pause_reading()
            tracemalloc.start()
            for number in range(OPERATIONS):
                await peer.subscribe(QUERY, str(number))
            await wait_until(lambda: server.slow_readers.bytes > 3 * response)
            answered = await post(server, "{ viewer { id } }")
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()

            assert answered.content["data"] == {"viewer": {"id": "1"}}
            assert server.slow_readers.bytes < 6 * response
            assert held < OPERATIONS / 2 * response
            peer.connection.transport.resume_reading()
            messages = [await peer.receive() for _ in range(2 * OPERATIONS)]
        await wait_until(lambda: server.slow_readers.bytes == 0)

    assert sum(message["type"] == "next" for message in messages) == OPERATIONS


async def test_an_http_client_that_reads_no_byte_of_its_response_is_disconnected(
    databases: Databases, path: str
) -> None:
    async with run_in_process(settings_for(databases.fresh(), stall_seconds=0.5)) as server:
        await server.fill()
        with ExitStack() as held:
            await _request_without_reading(server, path, held)
            await wait_until(lambda: len(server.slow_readers.connections) == 1)
            await wait_until(lambda: not server.connections)

            assert not server.slow_readers.connections


@pytest.mark.parametrize("way", ["websocket", "events"])
async def test_stalled_clients_use_little_more_memory_than_is_counted(databases: Databases, way: str) -> None:
    async with run_in_process(settings_for(databases.fresh(), stall_seconds=60)) as server:
        await server.fill()
        async with AsyncExitStack() as held:
            peers = [await held.enter_async_context(open_socket(server)) for _ in range(CLIENTS)]
            tracemalloc.start()
            for peer in peers:
                peer.connection.transport.pause_reading()
                if way == "events":
                    await _request_without_reading(server, "/graphql", held, EVENTS)
                else:
                    for number in range(4):
                        await peer.subscribe(QUERY, str(number))
            await wait_until(
                lambda: len(server.slow_readers.connections) == CLIENTS and server.admission.in_flight == 0
            )
            await post(server, "{ viewer { id } }")
            memory, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()

            assert memory < 2 * server.slow_readers.bytes


async def test_a_pipelined_request_waits_until_the_previous_response_is_read(databases: Databases, path: str) -> None:
    async with run_in_process(settings_for(databases.fresh(), stall_seconds=60)) as server:
        await server.fill()
        owner, register = server.gateway.tenant("1"), MUTATIONS["registerImage"]
        with ExitStack() as held:
            client = await _request_without_reading(server, path, held)
            await wait_until(lambda: len(server.slow_readers.connections) == 1)
            for _ in range(3):
                await _ask(client, server, path, register, input={**IMAGE, "name": "pipelined"})
            assert (await post(server, "{ viewer { id } }")).status == 200
            before = (await owner.get(COUNT))["images"]["totalCount"]
            await _take(client, until_there_are=4)
            after = (await owner.get(COUNT))["images"]["totalCount"]

    assert (before, after) == (60, 63)


def test_the_connection_with_the_most_buffered_bytes_is_closed() -> None:
    lines = [_Line(30), _Line(50), _Line(40)]
    behind = unread.SlowReaders(max_bytes=100)
    for line in lines:
        behind.add(line)

    assert ([line.is_cut for line in lines], behind.cut, behind.bytes) == ([False, True, False], 1, 70)


def test_unwritten_bytes_count_like_unsent_ones() -> None:
    lines = [_Line(50), _Line(30)]
    behind = unread.SlowReaders(max_bytes=100)
    for line in lines:
        behind.add(line)
    with behind.holding(lines[1], 40):
        assert ([line.is_cut for line in lines], behind.bytes) == ([False, True], 50)

    assert behind.bytes == 50


def test_a_connection_that_has_read_most_of_it_is_not_closed() -> None:
    lines = [_Line(90), _Line(30), _Line(20)]
    behind = unread.SlowReaders(max_bytes=100)
    behind.add(lines[0])
    lines[0].size = 10
    for line in lines[1:]:
        behind.add(line)

    assert ([line.is_cut for line in lines], behind.bytes) == ([False] * 3, 60)


class _Line:
    def __init__(self, size: int) -> None:
        self.size = size
        self.is_cut = False

    def get_write_buffer_size(self) -> int:
        return self.size

    def is_closing(self) -> bool:
        return self.is_cut

    def abort(self) -> None:
        self.is_cut = True


async def _request_without_reading(
    server: InProcessServer, path: str, held: ExitStack | AsyncExitStack, accept: str = JSON
) -> socket.socket:
    client = held.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", server.port))
    await _ask(client, server, path, QUERY, accept)
    return client


async def _ask(
    client: socket.socket, server: InProcessServer, path: str, query: str, accept: str = JSON, **variables: Any
) -> None:
    body = json.dumps({"query": query, "variables": variables}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"accept: {accept}\r\nauthorization: Bearer {server.token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    await asyncio.get_running_loop().sock_sendall(client, head.encode() + body)


async def _take(client: socket.socket, until_there_are: int) -> None:
    """Read until this many responses have started, of which only the first exceeds one chunk."""
    read = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while read.count(b"HTTP/1.1 200 OK") < until_there_are:
            read += await asyncio.get_running_loop().sock_recv(client, 65_536)
