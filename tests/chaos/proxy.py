"""A TCP proxy that can hold, slow down, drop or cut its connections."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
CHUNK = 65_536
BYTES_A_SECOND = 1_000
RESET = struct.pack("ii", 1, 0)


class Link:
    """One connection through the proxy: `up` leads to the server, `down` to the client."""

    def __init__(self, place: int, client: Streams, server: Streams) -> None:
        self.place = place
        self._client, self._server = client, server
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._is_slow = self._loses_hints = self.listens = False
        self.hold(False)

    def hold(self, held: bool) -> None:
        """Pass nothing on, not even that the other side has disconnected."""
        for gate in (self._up, self._down):
            gate.clear() if held else gate.set()

    def stall(self, stalled: bool) -> None:
        """Stop passing data to the client."""
        self._down.clear() if stalled else self._down.set()

    def slow_down(self, slowed: bool) -> None:
        self._is_slow = slowed

    def lose_hints(self, lost: bool) -> None:
        """Drop the notifications on a connection to PostgreSQL."""
        self._loses_hints = lost

    def cut(self) -> None:
        """Reset both connections."""
        for _, writer in (self._client, self._server):
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def run(self) -> None:
        up = self._pump(self._client[0], self._server[1], self._up)
        down = self._pump(self._server[0], self._client[1], self._down)
        try:
            await asyncio.gather(up, down)
        finally:
            for _, writer in (self._client, self._server):
                writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await source.read(512 if self._is_slow else CHUNK):
                await gate.wait()
                self.listens |= b"LISTEN image_gateway" in data
                if self._loses_hints and self.listens and data.startswith(b"A"):
                    continue
                if self._is_slow:
                    await asyncio.sleep(len(data) / BYTES_A_SECOND)  # the time that a slow connection takes
                sink.write(data)
                await sink.drain()
            await gate.wait()
        sink.close()


class Proxy:
    """Passes each connection to the next available upstream."""

    def __init__(self, upstreams: Sequence[Connect]) -> None:
        self._upstreams = upstreams
        self._turn = count()
        self._held: set[int] = set()
        self.links: set[Link] = set()

    def hold(self, place: int, held: bool) -> None:
        """Hold all connections to one upstream, including new ones."""
        (self._held.add if held else self._held.discard)(place)
        for link in list(self.links):
            if link.place == place:
                link.hold(held)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialled = await self._connect_upstream()
        if dialled is None:
            writer.transport.abort()
            return
        link = Link(dialled[0], (reader, writer), dialled[1])
        link.hold(link.place in self._held)
        self.links.add(link)
        try:
            await link.run()
        finally:
            self.links.discard(link)

    async def _connect_upstream(self) -> tuple[int, Streams] | None:
        first = next(self._turn)
        for number in range(len(self._upstreams)):
            place = (first + number) % len(self._upstreams)
            with suppress(OSError):
                return place, await self._upstreams[place]()
        return None
