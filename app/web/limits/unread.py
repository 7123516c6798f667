"""Clients that read too slowly: the bytes that wait for them in this process are bounded, over all connections."""

from collections import Counter
from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import Protocol

# A response has at most 8 MB by default, so this is one response for each of some thirty clients that read nothing.
MAX_UNSENT_BYTES = 256_000_000


class Transport(Protocol):
    """The methods of asyncio.Transport that are used here."""

    def get_write_buffer_size(self) -> int: ...
    def is_closing(self) -> bool: ...
    def abort(self) -> None: ...


class SlowReaders:
    """The connections whose write buffer is full, and the bytes that wait for them.

    Bytes wait in a transport's write buffer, or in messages that are held until that buffer has room.
    """

    def __init__(self, max_bytes: int = MAX_UNSENT_BYTES) -> None:
        # Connections that were cut because their client read too little.
        self.cut = 0
        # An upper bound: buffers that have drained since are measured again only when the sum exceeds the limit.
        self.bytes = 0
        self._max_bytes = max_bytes
        self._buffered: dict[Transport, int] = {}
        self._held: Counter[Transport] = Counter()

    @property
    def connections(self) -> Collection[Transport]:
        return self._buffered.keys()

    def add(self, transport: Transport) -> None:
        """Count a connection whose buffer is full. Over the limit, cut the connections with the most bytes."""
        self._measure(transport)
        if self.bytes > self._max_bytes:
            self._cut_largest()

    def discard(self, transport: Transport) -> None:
        self.bytes -= self._buffered.pop(transport, 0)

    @contextmanager
    def holding(self, transport: Transport, size: int) -> Generator[None]:
        """Count a message while it waits for room in the buffer."""
        if transport.is_closing():
            yield
            return
        self._held[transport] += size
        self.bytes += size
        if self.bytes > self._max_bytes:
            self._cut_largest()
        try:
            yield
        finally:
            self._release(transport, size)

    def _release(self, transport: Transport, size: int) -> None:
        if transport in self._held:  # else it was cut, and what it held is counted no more
            self.bytes -= size
            self._held[transport] -= size
            if not self._held[transport]:
                del self._held[transport]

    def _measure(self, transport: Transport) -> None:
        size = transport.get_write_buffer_size()
        self.bytes += size - self._buffered.get(transport, 0)
        self._buffered[transport] = size

    def _cut_largest(self) -> None:
        for transport in self._buffered:
            self._measure(transport)
        while self._buffered and self.bytes > self._max_bytes:
            largest = max(self._buffered, key=self._unsent)
            self.discard(largest)
            self.bytes -= self._held.pop(largest, 0)
            self.cut += 1
            largest.abort()

    def _unsent(self, transport: Transport) -> int:
        return self._buffered[transport] + self._held[transport]
