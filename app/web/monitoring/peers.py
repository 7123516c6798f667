"""Metrics of the other server processes of this machine, exchanged over the loopback.

A scrape reaches one process and has to report all of them. The parent process opens a socket for each, so that a
process that is started again listens on the port of its predecessor.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

# Longer than a process waits for the store at a scrape.
PATIENCE_SECONDS = 3.0
Families = list[list[Any]]


@dataclass(frozen=True)
class PeerSocket:
    """The number of one process, its own socket, and the ports of all processes."""

    place: int = 0
    listener: socket.socket | None = None
    ports: tuple[int, ...] = ()


def open_peer_sockets(number: int) -> list[PeerSocket]:
    """A socket for each of several processes."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = tuple(listener.getsockname()[1] for listener in listeners)
    return [PeerSocket(place, listener, ports) for place, listener in enumerate(listeners)]


class Peers:
    """Serves the metrics of this process to the others, and fetches theirs."""

    def __init__(self, peer_socket: PeerSocket, own: CollectorRegistry, before: Callable[[], Awaitable[None]]) -> None:
        self._socket = peer_socket
        self._own = own
        self._before = before
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        if self._socket.listener is not None:
            self._server = await asyncio.start_server(self._serve, sock=self._socket.listener.dup())

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def fetch_all(self) -> dict[int, Families | None]:
        """The metrics of each process by its number; None for a process that does not respond in time."""
        requests = [
            self._fetch(place, port) for place, port in enumerate(self._socket.ports) if place != self._socket.place
        ]
        fetched = await asyncio.gather(*requests)
        return {self._socket.place: await self._own_families(), **dict(fetched)}

    async def _own_families(self) -> Families:
        await self._before()
        return [_plain(family) for family in self._own.collect()]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(orjson.dumps(await self._own_families()))
        with suppress(OSError):
            await writer.drain()
        writer.close()

    async def _fetch(self, place: int, port: int) -> tuple[int, Families | None]:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    return place, orjson.loads(await reader.read())
                finally:
                    writer.close()
        except (OSError, TimeoutError, orjson.JSONDecodeError):
            return place, None


def _plain(family: Metric) -> list[Any]:
    samples = [[sample.name, sample.labels, sample.value] for sample in family.samples]
    return [family.name, family.documentation, family.type, samples]
