"""Serves the gateway in this process, so that tests can inspect its tasks and connections."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from select import select
from typing import Any
from unittest.mock import patch

import uvicorn
import websockets
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection

from app.main import create_app
from app.model import Role
from app.parts import Parts
from app.serving import uvicorn_config
from app.settings import Settings
from app.web.callers.identity import SharedSecret
from app.web.callers.tokens import Tokens
from app.web.server.stalled_peers import abort_stalled_connections
from tests.harness.gateway import Gateway
from tests.harness.waiting import PATIENCE_SECONDS, wait_until

# With the images of `fill`, the response is larger than the buffers of a connection.
LARGE_QUERY = "{ images(first: 60) { nodes { tags again: tags more: tags } } }"
PROTOCOL = websockets.Subprotocol("graphql-transport-ws")


class InProcessServer:
    """A server in this process: its address, and its internals."""

    def __init__(self, app: Starlette, settings: Settings, port: int, connections: set[Any]) -> None:
        parts: Parts = app.state.parts
        assert isinstance(parts.identities, Tokens)
        self.connections = connections
        self.services = parts.services
        self.planner = parts.pipeline.planner
        self.admission = parts.pipeline.admission
        self.fast_path = parts.fast_path
        self.budgets = parts.pipeline.budgets
        self.slow_readers = parts.slow_readers
        self.tokens = parts.identities
        self.port = port
        self.url = f"ws://127.0.0.1:{port}/graphql"
        self.gateway = Gateway(self.services, parts.pipeline.schema)
        self._settings = settings

    @property
    def token(self) -> str:
        return self.token_of("1")

    def token_of(self, tenant_id: str) -> str:
        return SharedSecret(self._settings).mint(tenant_id, frozenset({Role.ADMIN}), timedelta(hours=1), "tests")

    @asynccontextmanager
    async def stalled_client(self) -> AsyncGenerator[None]:
        """A client that requests large responses and reads none of them, on a connection that stays open."""
        async with websockets.connect(
            self.url, subprotocols=[PROTOCOL], max_queue=1, max_size=None, compression=None
        ) as connection:
            await self._send_large_queries(connection)
            yield
            connection.transport.abort()

    async def read_slowly(self, chunks: int, pause: float) -> int:
        """Request large responses, read them slowly, and return how many chunks were read."""
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
            raw.setblocking(False)
            await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port))
            async with websockets.connect(
                self.url, sock=raw, subprotocols=[PROTOCOL], max_queue=1, max_size=None, compression=None
            ) as connection:
                await self._send_large_queries(connection)
                connection.transport.pause_reading()
                # In a thread, because the server may occupy the event loop for longer than a client may stall.
                chunks_read = await asyncio.to_thread(_count_chunks, raw, chunks, pause)
                connection.transport.abort()
        return chunks_read

    async def _send_large_queries(self, connection: ClientConnection) -> None:
        init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {self.token}"}}
        await connection.send(json.dumps(init))
        await connection.recv()
        for number in range(30):
            payload = {"query": LARGE_QUERY}
            await connection.send(json.dumps({"type": "subscribe", "id": str(number), "payload": payload}))

    async def fill(self) -> None:
        """Register so many images that a response does not fit into the buffers of a connection."""
        owner = self.gateway.tenant("1")
        for number in range(60):
            await owner.register(tags=[f"{number} {tag} " + "x" * 70 for tag in range(50)])


def _count_chunks(connection: socket.socket, most: int, pause: float) -> int:
    """Read a chunk at a time, and return how many there were before the connection ended."""
    for number in range(most):
        if not select([connection], [], [], PATIENCE_SECONDS)[0]:
            raise TimeoutError
        try:
            if not connection.recv(8_192):
                return number
        except ConnectionError:
            return number
        time.sleep(pause)
    return most


@asynccontextmanager
async def run_in_process(settings: Settings, kernel_aborts: bool = True) -> AsyncGenerator[InProcessServer]:
    app = create_app(settings)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if kernel_aborts:
            abort_stalled_connections(listener, settings.stall_seconds)
        server = uvicorn.Server(uvicorn_config(app, settings))
        with patch("uvicorn.server.asyncio", _FastPollingAsyncio()):
            serving = asyncio.create_task(server.serve([listener]))
            try:
                await wait_until(lambda: server.started)
                yield InProcessServer(app, settings, listener.getsockname()[1], server.server_state.connections)
            finally:
                server.should_exit = True
                await serving


class _FastPollingAsyncio:
    """Replaces asyncio in uvicorn, which then polls for its shutdown more often."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 10)  # uvicorn's own wait, shortened


async def wait_for_tasks(at_most: int, seconds: float = PATIENCE_SECONDS) -> None:
    await wait_until(lambda: len(asyncio.all_tasks()) <= at_most, seconds)
