"""Token buckets: each refills at a constant rate up to its capacity."""

from collections.abc import Callable
from time import monotonic

Clock = Callable[[], float]
MAX_REMEMBERED = 20_000


class Bucket:
    """The balance of one caller, which is negative while the caller is in debt."""

    __slots__ = ("level", "refused_text", "unsettled", "updated_at")

    def __init__(self, level: float, updated_at: float) -> None:
        self.level = level
        self.updated_at = updated_at
        self.unsettled = 0.0
        # The hash of the last text that was refused since the bucket was full.
        self.refused_text = 0


class Buckets:
    """The buckets of all callers of one kind. An unknown caller has a full bucket.

    Buckets that must be full again are forgotten in two generations, without a scan: a bucket that is used moves to the
    young one, and the old one is dropped as a whole, when it is due or when there are too many.
    """

    def __init__(
        self, rate: int, capacity: int, clock: Clock = monotonic, max_remembered: int = MAX_REMEMBERED
    ) -> None:
        self.rate = rate
        self.capacity = capacity
        self.clock = clock
        self._max_young = max_remembered // 2
        self._young: dict[str, Bucket] = {}
        self._old: dict[str, Bucket] = {}
        self._refill_seconds = capacity / rate
        self._rotates_at = clock() + self._refill_seconds

    def get(self, key: str) -> Bucket:
        """The bucket of a caller, refilled up to now."""
        now = self.clock()
        bucket = self._young.get(key)
        if bucket is None or now >= self._rotates_at:
            bucket = self._rejuvenate(key, now)
        level = bucket.level + (now - bucket.updated_at) * self.rate
        bucket.level = level if level < self.capacity else self.capacity
        bucket.updated_at = now
        return bucket

    def find(self, key: str) -> Bucket | None:
        """The bucket of a caller, unless it was forgotten."""
        return self.get(key) if key in self._young or key in self._old else None

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _rejuvenate(self, key: str, now: float) -> Bucket:
        """Move a bucket to the young generation, or create it there."""
        bucket = self._young.pop(key, None) or self._old.pop(key, None) or Bucket(self.capacity, now)
        if now >= self._rotates_at or len(self._young) >= self._max_young:
            self._old, self._young = self._young, {}
            self._rotates_at = now + self._refill_seconds
        self._young[key] = bucket
        return bucket
