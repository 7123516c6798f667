"""Counters of how this process follows the log, for the metrics."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class WatchPosition:
    """The position of one watch in the log."""

    position: int


@dataclass
class Figures:
    """Kept by the feed of one process. `holes` must stay 0: the numbers of the log have no gaps."""

    holes: int = 0
    # Reads of the log that timed out.
    late: int = 0
    # Reads by cause: a hint, or the poll interval.
    looks: Counter[str] = field(default_factory=Counter[str])
    resets: Counter[str] = field(default_factory=Counter[str])
    # The ends of the store's log at the last read, and the last event that this process has read.
    head: int = 0
    floor: int = 0
    read: int = 0
    watches: set[WatchPosition] = field(default_factory=set[WatchPosition])

    @contextmanager
    def watch(self, position: int) -> Generator[WatchPosition]:
        """Register a watch while it lasts; the watch updates its own position."""
        watch = WatchPosition(position)
        self.watches.add(watch)
        try:
            yield watch
        finally:
            self.watches.remove(watch)

    @property
    def lag(self) -> int:
        """Events in the store that this process has not read yet."""
        return max(0, self.head - self.read)

    @property
    def slowest(self) -> int:
        """Events that the slowest watch is behind this process."""
        return max(0, self.read - min((watch.position for watch in self.watches), default=self.read))
