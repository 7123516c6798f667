"""Load that costs next to nothing: eight kept-alive connections, requests ready made, answers hardly looked at."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import NamedTuple, cast

CONNECTIONS = 8
PATIENCE_SECONDS = 120
Source = Iterator[bytes]


class Slice(NamedTuple):
    """So many requests were answered in so many seconds."""

    requests: int
    seconds: float


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
    """All connections to one server."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines

    async def run(self, seconds: float) -> Slice:
        """Ask for so long. The time is until the last request under way is answered."""
        begun = perf_counter()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(line.start(begun + seconds) for line in self._lines))
        return Slice(sum(line.answered for line in self._lines), perf_counter() - begun)


@asynccontextmanager
async def loading(port: int, source: Callable[[int], Source], connections: int = CONNECTIONS) -> AsyncGenerator[Load]:
    """Connections to a server of this machine; each has a source of requests of its own."""
    loop, lines = asyncio.get_running_loop(), list[Line]()
    try:
        for number in range(connections):
            _, line = await loop.create_connection(lambda number=number: Line(source(number)), "127.0.0.1", port)
            lines.append(line)
        yield Load(lines)
    finally:
        for line in lines:
            line.close()
