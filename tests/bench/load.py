"""A cheap load generator: eight keep-alive connections, prepared requests, responses barely parsed."""

import asyncio
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import NamedTuple, cast

CONNECTIONS = 8
PATIENCE_SECONDS = 120
Source = Iterator[bytes]


class Slice(NamedTuple):
    """The number of requests in a slice of time, its length, and the server's CPU time."""

    requests: int
    seconds: float
    cpu: float

    @property
    def microseconds(self) -> float:
        """CPU time per request."""
        return self.cpu / self.requests * 1e6


class LoadConnection(asyncio.Protocol):
    """A connection that sends the next request as soon as it has the whole response to the last one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._size = 0
        self._until = 0.0
        self._ended: asyncio.Future[None]
        self.responses = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def start(self, until: float) -> asyncio.Future[None]:
        """Send requests until then; the future is done once the last response has arrived."""
        self._until, self.responses = until, 0
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
            self._size = _response_size(bytes(buffer[:head]), head + 4)
        if len(buffer) >= self._size if self._size > 0 else buffer.endswith(b"\r\n0\r\n\r\n"):
            self._handle(bytes(buffer))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(AssertionError(f"The server hung up: {exc}"))

    def close(self) -> None:
        self._transport.abort()

    def _handle(self, answer: bytes) -> None:
        self._buffer.clear()
        self._size = 0
        if not answer.startswith(b"HTTP/1.1 200") or b'"errors":[{' in answer or b'"errors": [{' in answer:
            self._ended.set_exception(AssertionError(f"Not a good answer: {answer[:2000]!r}"))
            return
        self.responses += 1
        if perf_counter() < self._until:
            self._transport.write(next(self._source))
        else:
            self._ended.set_result(None)


def _response_size(head: bytes, start: int) -> int:
    """The size of the response with its head; -1 if it is chunked."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return start + int(line[15:])
    return -1


class Load:
    """The load on one server. Each run opens new connections, because servers close idle ones."""

    def __init__(self, port: int, source: Callable[[int], Source], connections: int = CONNECTIONS) -> None:
        self._port = port
        self._sources = [source(number) for number in range(connections)]

    async def run(self, seconds: float, cpu: Callable[[], float] = lambda: 0) -> Slice:
        """Send requests for this time, and wait for the last responses. Opening connections is not measured."""
        loop, lines = asyncio.get_running_loop(), list[LoadConnection]()
        try:
            for source in self._sources:
                _, line = await loop.create_connection(
                    lambda source=source: LoadConnection(source), "127.0.0.1", self._port
                )
                lines.append(line)
            spent, begun = cpu(), perf_counter()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(line.start(begun + seconds) for line in lines))
            return Slice(sum(line.responses for line in lines), perf_counter() - begun, cpu() - spent)
        finally:
            for line in lines:
                line.close()
