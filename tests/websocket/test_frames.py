"""WebSocket below GraphQL: invalid handshakes and frames get a status or a close code, and use limited memory."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from app.web.server.stalled_peers import WebSocketProtocol
from app.web.server.websocket_protocol import MAX_FRAGMENTS
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.raw_connection import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    frame,
    open_connection,
    parse_responses,
    upgrade,
)
from tests.harness.server import Server

BROKEN_HANDSHAKES: dict[str, tuple[bytes, int]] = {
    "too many headers": (upgrade(*(f"x{number}: y" for number in range(200))), 431),
    "a long header": (upgrade("x: " + "y" * 20_000), 431),
    "a long address": (upgrade(path="/graphql?" + "y" * 20_000), 414),
    "a body": (upgrade("content-length: 3") + b"abc", 400),
    "another method": (upgrade(method="POST"), 405),
    "two keys": (upgrade("sec-websocket-key: " + "x" * 24), 400),
    "another address": (upgrade(path="/livez"), 404),
}
BROKEN_FRAMES: dict[str, tuple[bytes, int]] = {
    "text that is not UTF-8": (frame(TEXT, b'{"type":"ping\xff"}'), 1007),
    "half a character": (frame(TEXT, b'{"\xc3', final=False) + frame(CONTINUATION, b'"}'), 1007),
    "a binary frame": (frame(BINARY, b'{"type":"ping"}'), 4400),
    "a compressed frame": (frame(TEXT, b"\xaaV*\xa9,HU\xb2R*\xc8\xccKW\xaa\x05\x00", reserved=4), 1002),
    "an opcode that nobody knows": (frame(3, b"x"), 1002),
    "a frame without a mask": (frame(TEXT, b"{}", masked=False), 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"{}"), 1002),
    "a message in a message": (frame(TEXT, b"{", final=False) + frame(TEXT, b"}"), 1002),
    "a long ping": (frame(PING, b"x" * 126), 1002),
    "a ping in fragments": (frame(PING, b"x", final=False), 1002),
    "a close with a code that is none": (frame(CLOSE, struct.pack("!H", 999)), 1002),
    "a close with a byte": (frame(CLOSE, b"x"), 1002),
    "a close without a code": (frame(CLOSE, b""), 1005),
    "a frame of 2^62 bytes": (b"\x81\xff" + struct.pack("!Q", 2**62), 1009),
    "a message of many fragments": (
        frame(TEXT, b'{"type":', final=False) + frame(CONTINUATION, b" ", final=False) * (MAX_FRAGMENTS + 1),
        1009,
    ),
    "a message of many empty fragments": (
        frame(TEXT, b"", final=False) + frame(CONTINUATION, b"", final=False) * 5_000,
        1009,
    ),
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", 1002),
}


@pytest.mark.parametrize("kind", BROKEN_HANDSHAKES)
async def test_an_invalid_handshake_gets_its_status(server: Server, kind: str) -> None:
    sent, status = BROKEN_HANDSHAKES[kind]
    async with open_connection(server.port) as client:
        await client.send(sent)
        [refused] = parse_responses(await client.read_to_end())
    assert refused.status == status


@pytest.mark.parametrize("kind", BROKEN_HANDSHAKES)
async def test_a_client_that_keeps_sending_after_a_refused_handshake_still_gets_the_response(
    server: Server, kind: str
) -> None:
    sent, status = BROKEN_HANDSHAKES[kind]
    for _ in range(3):
        async with open_connection(server.port) as client:
            hearing = asyncio.create_task(client.read_to_end())
            await client.send(sent, *[b"x" * 30_000] * 3)
            [refused] = parse_responses(await hearing)
        assert refused.status == status


@pytest.mark.parametrize("kind", BROKEN_FRAMES)
async def test_an_invalid_frame_closes_the_socket_with_its_code_and_without_a_traceback(
    server: Server, kind: str
) -> None:
    sent, code = BROKEN_FRAMES[kind]
    before = server.log.count("Traceback")
    async with open_connection(server.port) as client:
        await client.upgrade()
        await client.send(sent)
        assert await client.close_code() == code
    assert server.log.count("Traceback") == before


async def test_a_client_that_sends_far_too_much_still_gets_the_close_code(server: Server) -> None:
    for _ in range(5):
        async with open_connection(server.port) as client:
            await client.upgrade()
            closing = asyncio.create_task(client.close_code())
            await client.send(frame(TEXT, b"x" * 4_000_000))
            assert await closing == 1009


async def test_pending_messages_on_a_closed_socket_are_not_a_fault(server: Server) -> None:
    init, junk = frame(TEXT, b'{"type":"connection_init"}'), frame(3, b"x")
    before = server.log.count("Traceback")
    for _ in range(5):
        async with open_connection(server.port) as client:
            await client.upgrade()
            await client.send(init + junk, junk)
            assert await client.close_code() == 1002
    assert server.log.count("Traceback") == before


async def test_a_message_with_the_maximum_number_of_fragments_is_accepted(server: Server) -> None:
    pieces = [b'{"type"', b":", b'"ping"}', *[b" "] * (MAX_FRAGMENTS - 4)]
    async with open_connection(server.port) as client:
        await client.upgrade()
        await client.send(frame(TEXT, pieces[0], final=False), frame(PING, b"between them"))
        await client.send(*(frame(CONTINUATION, piece, final=False) for piece in pieces[1:]), frame(CONTINUATION, b""))
        assert [await client.read_frame(), await client.read_frame()] == [
            (PONG, b"between them"),
            (TEXT, b'{"type":"pong"}'),
        ]


@pytest.fixture
async def inside(sqlite_databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(sqlite_databases.fresh(), max_messages_per_second=1_000_000)) as server:
        yield server


async def test_pings_of_a_client_that_reads_nothing_use_limited_memory(inside: InProcessServer) -> None:
    pings = frame(PING, b"x" * 125) * 2_000
    async with open_connection(inside.port) as client:
        await client.upgrade()
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # the stream has no public method for it
        for _ in range(60):
            await client.send(pings)
        async with asyncio.timeout(20):
            while (server_side := _websocket(inside)) is None or not _has_read_all(server_side):
                await asyncio.sleep(0.02)  # nothing announces how far the server has read
        assert server_side.transport.get_write_buffer_size() < 2_000_000


def _websocket(inside: InProcessServer) -> Any:
    return next((one for one in inside.connections if isinstance(one, WebSocketProtocol)), None)


def _has_read_all(server_side: Any) -> bool:
    return not server_side.conn.reader.buffer and not server_side.writable.is_set()
