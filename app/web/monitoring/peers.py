"""The server processes of one machine, which tell each other their figures over the loopback.

A scrape reaches one of them, and wants to hear of all. Each answers at a socket that the process above them has opened,
so that one that is started again is found where the one before it was.
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

# More than a process waits for the store when it is asked.
PATIENCE_SECONDS = 3.0
Told = list[list[Any]]


@dataclass(frozen=True)
class Desk:
    """Where one process sits among the others: its place, its own socket, and the ports of all of them."""

    place: int = 0
    listener: socket.socket | None = None
    ports: tuple[int, ...] = ()


def open_desks(number: int) -> list[Desk]:
    """One for each of several processes; a single one needs none."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = tuple(listener.getsockname()[1] for listener in listeners)
    return [Desk(place, listener, ports) for place, listener in enumerate(listeners)]


class Colleagues:
    """Answers the others, and asks them."""

    def __init__(self, desk: Desk, own: CollectorRegistry, before: Callable[[], Awaitable[None]]) -> None:
        self._desk = desk
        self._own = own
        self._before = before
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        if self._desk.listener is not None:
            self._server = await asyncio.start_server(self._answer, sock=self._desk.listener.dup())

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def everyone(self) -> dict[int, Told | None]:
        """What each process tells, by its place; None of one that does not answer in time."""
        asked = [self._ask(place, port) for place, port in enumerate(self._desk.ports) if place != self._desk.place]
        told = await asyncio.gather(*asked)
        return {self._desk.place: await self._told(), **dict(told)}

    async def _told(self) -> Told:
        await self._before()
        return [_plain(family) for family in self._own.collect()]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(orjson.dumps(await self._told()))
        with suppress(OSError):
            await writer.drain()
        writer.close()

    async def _ask(self, place: int, port: int) -> tuple[int, Told | None]:
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
