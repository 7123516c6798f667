"""Clients that do not read: what waits for them in this process is bounded, over all connections."""

from collections import Counter
from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import Protocol

# A response has 8 MB at most by default, so this is that of some thirty clients that read nothing.
MOST_UNSENT_BYTES = 256_000_000


class Line(Protocol):
    """What is used of a transport."""

    def get_write_buffer_size(self) -> int: ...
    def is_closing(self) -> bool: ...
    def abort(self) -> None: ...


class Stalled:
    """The connections whose clients are behind, and how many were cut because their clients took too little.

    Two things wait: what is in a write buffer already, and messages that are held until there is room in it.
    """

    def __init__(self, most_bytes: int = MOST_UNSENT_BYTES) -> None:
        self.cut = 0
        # A client that reads on may have taken some of it; that is looked at only when the sum is too large.
        self.bytes = 0
        self._most_bytes = most_bytes
        self._buffered: dict[Line, int] = {}
        self._held: Counter[Line] = Counter()

    @property
    def behind(self) -> Collection[Line]:
        return self._buffered.keys()

    def falls_behind(self, line: Line) -> None:
        """Count one more connection; when too much waits on all of them, those on which most waits are cut."""
        self._count_buffer(line)
        if self.bytes > self._most_bytes:
            self._make_room()

    def catches_up(self, line: Line) -> None:
        self.bytes -= self._buffered.pop(line, 0)

    @contextmanager
    def holding(self, line: Line, size: int) -> Generator[None]:
        """Count a message that waits until the connection takes it."""
        self._held[line] += size
        self.bytes += size
        if self.bytes > self._most_bytes:
            self._make_room()
        try:
            yield
        finally:
            self._release(line, size)

    def _release(self, line: Line, size: int) -> None:
        self.bytes -= size
        self._held[line] -= size
        if not self._held[line]:
            del self._held[line]

    def _count_buffer(self, line: Line) -> None:
        size = line.get_write_buffer_size()
        self.bytes += size - self._buffered.get(line, 0)
        self._buffered[line] = size

    def _make_room(self) -> None:
        for line in self._buffered:
            self._count_buffer(line)
        # What is held for a connection that was cut is released when its writers find out, which they do at once.
        leaving = sum(size for line, size in self._held.items() if line.is_closing())
        while self._buffered and self.bytes - leaving > self._most_bytes:
            largest = max(self._buffered, key=self._waiting_on)
            leaving += self._held[largest]
            self.catches_up(largest)
            self.cut += 1
            largest.abort()

    def _waiting_on(self, line: Line) -> int:
        return self._buffered[line] + self._held[line]
