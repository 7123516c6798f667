"""A WebSocket client that exposes the protocol."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.harness.waiting import PATIENCE_SECONDS

PROTOCOL = "graphql-transport-ws"


class HasWebSocketUrl(Protocol):
    """Anything with the WebSocket URL of a gateway."""

    @property
    def ws_url(self) -> str: ...


class WebSocketClient:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: object) -> None:
        """Send a message as JSON; text and bytes as they are."""
        raw = message if isinstance(message, (str, bytes)) else json.dumps(message)
        await self.connection.send(raw)

    async def receive(self) -> dict[str, Any]:
        """Receive the next message, which must be text."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return json.loads(await self.connection.recv(decode=True))

    async def init(self, token: str | None = None, key: str = "Authorization") -> None:
        await self.send({"type": "connection_init", "payload": {} if token is None else {key: f"Bearer {token}"}})

    async def subscribe(self, query: str, op: str = "1", **variables: Any) -> None:
        await self.send({"type": "subscribe", "id": op, "payload": {"query": query, "variables": variables}})

    async def run(self, query: str, op: str = "1", **variables: Any) -> list[dict[str, Any]]:
        """Run one operation, the only one on the socket, and return all its messages."""
        await self.subscribe(query, op, **variables)
        messages = [await self.receive()]
        while messages[-1]["type"] == "next":
            messages.append(await self.receive())
        assert {message["id"] for message in messages} == {op}
        return messages

    async def next_item(self) -> Any:
        """The next item of the only watch on this socket."""
        message = await self.receive()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]["watchOffers"]

    async def is_alive(self) -> bool:
        """Whether the server still answers a query on this socket."""
        messages = await self.run("{ __typename }", op="alive")
        return [message["type"] for message in messages] == ["next", "complete"]

    async def close_code(self) -> int | None:
        """Wait until the server closes the socket and return the close code; earlier messages are ignored."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    await self.connection.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@asynccontextmanager
async def open_socket(
    server: HasWebSocketUrl, protocols: Iterable[str] = (PROTOCOL,), **options: Any
) -> AsyncGenerator[WebSocketClient]:
    """Open a socket and send nothing."""
    offered = [Subprotocol(protocol) for protocol in protocols] or None
    async with connect(server.ws_url, subprotocols=offered, proxy=None, **options) as connection:
        yield WebSocketClient(connection)


@asynccontextmanager
async def connect_socket(
    server: HasWebSocketUrl, token: str | None = None, **options: Any
) -> AsyncGenerator[WebSocketClient]:
    """Open a socket and wait until the server has acknowledged it."""
    async with open_socket(server, **options) as peer:
        await peer.init(token)
        assert await peer.receive() == {"type": "connection_ack"}
        yield peer
