"""What there is to tell about how the log is followed."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Place:
    """Where a watch stands in the log."""

    position: int


@dataclass
class Figures:
    """Kept by the feed of one process. `holes` must stay 0: a number is missing in a log that has none missing."""

    holes: int = 0
    # Reads of the log that the store did not answer in time.
    late: int = 0
    # Why the tailer looked: a hint, or the time was up.
    looks: Counter[str] = field(default_factory=Counter[str])
    resets: Counter[str] = field(default_factory=Counter[str])
    # Where the store's log stood at the last look, and how far this process has read.
    head: int = 0
    floor: int = 0
    read: int = 0
    watches: set[Place] = field(default_factory=set[Place])

    @contextmanager
    def watch(self, position: int) -> Generator[Place]:
        """A watch, as long as it lasts; it says itself when it has moved."""
        place = Place(position)
        self.watches.add(place)
        try:
            yield place
        finally:
            self.watches.remove(place)

    @property
    def lag(self) -> int:
        """Events that are in the store and not yet known here."""
        return max(0, self.head - self.read)

    @property
    def slowest(self) -> int:
        """Events between what is known here and the watch that is furthest behind."""
        return max(0, self.read - min((watch.position for watch in self.watches), default=self.read))
