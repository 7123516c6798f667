"""Token buckets: each fills at a rate up to a brim, and what is spent is taken from it."""

from collections.abc import Callable
from time import monotonic

Clock = Callable[[], float]
MOST_REMEMBERED = 20_000


class Bucket:
    """What one caller may still spend. Below zero it has been lent something."""

    __slots__ = ("at", "level", "refused", "unsettled")

    def __init__(self, level: float, at: float) -> None:
        self.level = level
        self.at = at
        self.unsettled = 0.0
        # The hash of the text that was refused last since it was full.
        self.refused = 0


class Buckets:
    """The buckets of all callers of one kind, with a full one for whoever is new.

    Those that nobody asks for are forgotten once they must be full again. Two generations do that without looking at
    each of them: the older one is dropped whole, and what is asked for moves to the younger. When there are too many,
    that happens sooner.
    """

    def __init__(self, rate: int, brim: int, clock: Clock = monotonic, most: int = MOST_REMEMBERED) -> None:
        self.rate = rate
        self.brim = brim
        self.clock = clock
        self._most_young = most // 2
        self._young: dict[str, Bucket] = {}
        self._old: dict[str, Bucket] = {}
        self._filling_seconds = brim / rate
        self._turns_at = clock() + self._filling_seconds

    def of(self, who: str) -> Bucket:
        """The caller's bucket, filled up to now."""
        now = self.clock()
        bucket = self._young.get(who)
        if bucket is None or now >= self._turns_at:
            bucket = self._moved(who, now)
        level = bucket.level + (now - bucket.at) * self.rate
        bucket.level = level if level < self.brim else self.brim
        bucket.at = now
        return bucket

    def known(self, who: str) -> Bucket | None:
        """The same, unless it was forgotten."""
        return self.of(who) if who in self._young or who in self._old else None

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _moved(self, who: str, now: float) -> Bucket:
        """The caller's bucket, which stands in the younger generation from now on."""
        bucket = self._young.pop(who, None) or self._old.pop(who, None) or Bucket(self.brim, now)
        if now >= self._turns_at or len(self._young) >= self._most_young:
            self._old, self._young = self._young, {}
            self._turns_at = now + self._filling_seconds
        self._young[who] = bucket
        return bucket
