"""HTTP connections on which a test sends raw bytes."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any


class HttpConnection:
    """A connection to a server on this machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, *requests: bytes) -> None:
        self.writer.write(b"".join(requests))

    async def read_response(self) -> tuple[str, dict[str, str], Any]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return status, headers, json.loads(await self._reader.readexactly(int(headers["content-length"])))

    async def is_closed(self) -> bool:
        return await self._reader.read() == b""


Connect = Callable[[], Awaitable[HttpConnection]]


@asynccontextmanager
async def open_connections(port: int) -> AsyncGenerator[Connect]:
    """Yield a function that opens connections, and close them at the end of the block."""
    opened: list[HttpConnection] = []

    async def connect() -> HttpConnection:
        opened.append(HttpConnection(*await asyncio.open_connection("127.0.0.1", port)))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.writer.close()


def request(
    token: str, query: str, path: str = "/graphql", version: str = "1.1", *more: str, **variables: Any
) -> bytes:
    body = json.dumps({"query": query, "variables": variables}).encode()
    lines = [
        f"POST {path} HTTP/{version}",
        "host: here",
        f"authorization: Bearer {token}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
