"""Clients that send one operation over HTTP, SSE or WebSocket, and read the response or disconnect first."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import websockets

from tests.harness.inprocess import PROTOCOL, InProcessServer
from tests.harness.sockets import WebSocketClient

JSON, EVENTS = "application/json", "text/event-stream"


class RawResponse:
    """A parsed HTTP response."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def content(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        return _code(self.content)


def _code(content: dict[str, Any]) -> str | None:
    return content["errors"][0]["extensions"]["code"] if "errors" in content else None


@asynccontextmanager
async def open_request(
    server: InProcessServer, query: str, accept: str = JSON, **variables: Any
) -> AsyncGenerator[asyncio.StreamReader]:
    """Send an operation on a new connection, which is aborted at the end of the block."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\naccept: {accept}\r\n"
        f"content-type: application/json\r\nauthorization: Bearer {server.token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head.encode() + body)
    yield reader
    writer.transport.abort()


async def post(server: InProcessServer, query: str, **variables: Any) -> RawResponse:
    async with open_request(server, query, **variables) as line, asyncio.timeout(20):
        return RawResponse(await line.read())


async def get(server: InProcessServer, path: str) -> RawResponse:
    """GET a path on a new connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    async with asyncio.timeout(20):
        response = RawResponse(await reader.read())
    writer.close()
    return response


@asynccontextmanager
async def open_socket(server: InProcessServer) -> AsyncGenerator[WebSocketClient]:
    """Open a WebSocket that the server has acknowledged, and abort it at the end of the block."""
    async with websockets.connect(server.url, subprotocols=[PROTOCOL], proxy=None) as connection:
        peer = WebSocketClient(connection)
        await peer.init(server.token)
        assert (await peer.receive())["type"] == "connection_ack"
        yield peer
        connection.transport.abort()


@asynccontextmanager
async def leave_http(server: InProcessServer, query: str) -> AsyncGenerator[None]:
    async with open_request(server, query):
        yield


@asynccontextmanager
async def leave_sse(server: InProcessServer, query: str) -> AsyncGenerator[None]:
    async with open_request(server, query, EVENTS):
        yield


@asynccontextmanager
async def complete_operation(server: InProcessServer, query: str) -> AsyncGenerator[None]:
    async with open_socket(server) as peer:
        await peer.subscribe(query)
        yield
        await peer.send({"type": "complete", "id": "1"})
        assert await peer.is_alive()


@asynccontextmanager
async def close_socket(server: InProcessServer, query: str) -> AsyncGenerator[None]:
    async with open_socket(server) as peer:
        await peer.subscribe(query)
        yield


WAYS_TO_LEAVE = {
    "http": leave_http,
    "events": leave_sse,
    "complete": complete_operation,
    "socket": close_socket,
}


async def code_over_http(server: InProcessServer, query: str) -> str | None:
    return (await post(server, query)).code


async def code_over_sse(server: InProcessServer, query: str) -> str | None:
    async with open_request(server, query, EVENTS) as line, asyncio.timeout(20):
        body = RawResponse(await line.read()).body.decode()
    [payload] = [row.removeprefix("data: ") for row in body.splitlines() if row.startswith("data: {")]
    return _code(json.loads(payload))


async def code_over_websocket(server: InProcessServer, query: str) -> str | None:
    async with open_socket(server) as peer:
        [message] = await peer.run(query)
        await peer.send({"type": "ping"})
        assert (await peer.receive())["type"] == "pong"
    assert message["type"] == "error"
    return message["payload"][0]["extensions"]["code"]


CODES = {"http": code_over_http, "events": code_over_sse, "websocket": code_over_websocket}
