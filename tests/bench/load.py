"""Load that costs next to nothing: eight kept-alive connections, requests ready made, answers hardly looked at."""

import asyncio
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import NamedTuple, cast

CONNECTIONS = 8
PATIENCE_SECONDS = 120
Source = Iterator[bytes]


class Slice(NamedTuple):
    """So many requests were answered in so many seconds, which took so many of processor time."""

    requests: int
    seconds: float
    cpu: float

    @property
    def microseconds(self) -> float:
        """Of processor time for each request."""
        return self.cpu / self.requests * 1e6


class Line(asyncio.Protocol):
    """One connection, which sends the next request as soon as it has the whole answer to the last one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._size = 0
        self._until = 0.0
        self._ended: asyncio.Future[None]
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def start(self, until: float) -> asyncio.Future[None]:
        """Keep asking until then; done when the last answer is there."""
        self._until, self.answered = until, 0
        self._ended = asyncio.get_running_loop().create_future()
        self._transport.write(next(self._source))
        return self._ended

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._size:
            head = buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            self._size = _whole_size(bytes(buffer[:head]), head + 4)
        if len(buffer) >= self._size if self._size > 0 else buffer.endswith(b"\r\n0\r\n\r\n"):
            self._take(bytes(buffer))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(AssertionError(f"The server hung up: {exc}"))

    def close(self) -> None:
        self._transport.abort()

    def _take(self, answer: bytes) -> None:
        self._buffer.clear()
        self._size = 0
        if not answer.startswith(b"HTTP/1.1 200") or b'"errors":[{' in answer or b'"errors": [{' in answer:
            self._ended.set_exception(AssertionError(f"Not a good answer: {answer[:2000]!r}"))
            return
        self.answered += 1
        if perf_counter() < self._until:
            self._transport.write(next(self._source))
        else:
            self._ended.set_result(None)


def _whole_size(head: bytes, start: int) -> int:
    """Bytes of the answer with its head; -1 when only its end will tell."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return start + int(line[15:])
    return -1


class Load:
    """All requests to one server. It is asked over new connections each time: servers hang up on idle ones."""

    def __init__(self, port: int, source: Callable[[int], Source], connections: int = CONNECTIONS) -> None:
        self._port = port
        self._sources = [source(number) for number in range(connections)]

    async def run(self, seconds: float, cpu: Callable[[], float] = lambda: 0) -> Slice:
        """Ask for so long, and until the last request under way is answered. Opening connections does not count."""
        loop, lines = asyncio.get_running_loop(), list[Line]()
        try:
            for source in self._sources:
                _, line = await loop.create_connection(lambda source=source: Line(source), "127.0.0.1", self._port)
                lines.append(line)
            spent, begun = cpu(), perf_counter()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(line.start(begun + seconds) for line in lines))
            return Slice(sum(line.answered for line in lines), perf_counter() - begun, cpu() - spent)
        finally:
            for line in lines:
                line.close()
