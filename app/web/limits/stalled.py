"""Clients that do not read: what waits for them in this process is bounded, over all connections."""

from collections.abc import Collection
from typing import Protocol

# A response has 8 MB at most by default, so this is that of some thirty clients that read nothing.
MOST_UNSENT_BYTES = 256_000_000


class Line(Protocol):
    """What is used of a transport."""

    def get_write_buffer_size(self) -> int: ...
    def abort(self) -> None: ...


class Stalled:
    """The connections whose clients are behind, and how many were cut because their clients took too little."""

    def __init__(self, most_bytes: int = MOST_UNSENT_BYTES) -> None:
        self.cut = 0
        self._most_bytes = most_bytes
        self._behind: set[Line] = set()

    @property
    def bytes(self) -> int:
        """What waits to be sent on the connections whose clients are behind."""
        return sum(line.get_write_buffer_size() for line in self._behind)

    @property
    def behind(self) -> Collection[Line]:
        return self._behind

    def falls_behind(self, line: Line) -> None:
        """Count one more connection; when too much waits on all of them, those on which most waits are cut."""
        self._behind.add(line)
        while self.bytes > self._most_bytes:
            largest = max(self._behind, key=lambda one: one.get_write_buffer_size())
            self._behind.discard(largest)
            self.cut += 1
            largest.abort()

    def catches_up(self, line: Line) -> None:
        self._behind.discard(line)
