"""A TCP connection on which a test sends raw bytes and reads the responses."""

import asyncio
import base64
import json
import ssl
import struct
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from tests.harness.waiting import PATIENCE_SECONDS

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_KEY = base64.b64encode(b"sixteen octets !").decode()


class Response(NamedTuple):
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


class RawConnection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Send each piece in its own packet, until the server disconnects."""
        with suppress(ConnectionError):
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()

    @property
    def is_closed(self) -> bool:
        """Whether the server has disconnected and nothing is left to read."""
        return self.reader.at_eof() or self.reader.exception() is not None

    async def read_to_end(self) -> bytes:
        """Read everything until the server disconnects. Raises TimeoutError."""
        pieces: list[bytes] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._read_into(pieces)
        return b"".join(pieces)

    async def read_for(self, seconds: float) -> bytes:
        """Read until the server disconnects or the time is over."""
        pieces: list[bytes] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._read_into(pieces)
        return b"".join(pieces)

    async def _read_into(self, pieces: list[bytes]) -> None:
        with suppress(ConnectionError):
            while piece := await self.reader.read(65_536):
                pieces.append(piece)

    async def read_response(self) -> Response:
        """Read the next HTTP response from the open connection."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status, headers = _head(head)
            return Response(status, headers, await self.reader.readexactly(int(headers.get("content-length", 0))))

    async def upgrade(self) -> None:
        """Upgrade the connection to a WebSocket."""
        await self.send(upgrade())
        assert (await self.read_response()).status == 101

    async def close_code(self) -> int | None:
        """The code in the server's close frame; 1005 if it has none, None if there is no close frame."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    opcode, payload = await self.read_frame()
                    if opcode == CLOSE:
                        return struct.unpack_from("!H", payload)[0] if payload else 1005
        return None

    async def read_frame(self) -> tuple[int, bytes]:
        """Read the next frame: its opcode and payload."""
        first, size = await self.reader.readexactly(2)
        if size > 125:
            wide = await self.reader.readexactly(2 if size == 126 else 8)
            size = int.from_bytes(wide, "big")
        return first & 15, await self.reader.readexactly(size)


@asynccontextmanager
async def open_connection(port: int, trust: ssl.SSLContext | None = None) -> AsyncGenerator[RawConnection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.transport.abort()


def request(method: str = "GET", path: str = "/livez", *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "host: here", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def operation(query: str, *headers: str, variables: dict[str, Any] | None = None) -> bytes:
    """A plain POST request with an operation."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    plain = ("content-type: application/json", f"content-length: {len(body)}")
    return request("POST", "/graphql", *plain, *headers, body=body)


def upgrade(*headers: str, method: str = "GET", path: str = "/graphql") -> bytes:
    required = ("connection: Upgrade", "upgrade: websocket", f"sec-websocket-key: {_KEY}", "sec-websocket-version: 13")
    return request(method, path, *required, "sec-websocket-protocol: graphql-transport-ws", *headers)


def frame(opcode: int, payload: bytes, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """A WebSocket frame from a client, masked with zeros."""
    first, size, mask = final << 7 | reserved << 4 | opcode, len(payload), masked << 7
    if size < 126:
        head = struct.pack("!BB", first, mask | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    return head + (b"\0\0\0\0" if masked else b"") + payload


def parse_responses(data: bytes) -> list[Response]:
    """Parse everything that a server sent as HTTP responses. Raises ValueError."""
    found: list[Response] = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        if not end:
            raise ValueError(f"half a response: {head[:200]!r}")
        status, headers = _head(head)
        if status == 101:
            return [*found, Response(status, headers, data)]
        chunked = headers.get("transfer-encoding") == "chunked"
        body, data = _chunks(data) if chunked else _split(data, int(headers.get("content-length", 0)))
        found.append(Response(status, headers, body))
    return found


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    version, status, *_ = first.split(" ")
    if version != "HTTP/1.1":
        raise ValueError(f"not a response: {first!r}")
    return int(status), {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}


def _split(data: bytes, size: int) -> tuple[bytes, bytes]:
    if len(data) < size:
        raise ValueError("a body is shorter than announced")
    return data[:size], data[size:]


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        chunk, data = _split(data, int(size, 16) + 2)
        if len(chunk) == 2:
            return body, data
        body += chunk[:-2]


def split_into(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Split the data into pieces of these sizes, and the rest."""
    pieces: list[bytes] = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [piece for piece in (*pieces, data) if piece]
