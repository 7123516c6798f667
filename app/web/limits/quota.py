"""A limit on how many connections or watches one tenant or address may hold at a time."""

from collections import Counter


class Quota:
    """Counts what each key holds, up to a limit per key."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """The count over all keys."""
        return self._held.total()

    def acquire(self, key: str) -> bool:
        """Count one more for the key, unless it has reached the limit. Each success needs one `release`."""
        if self._held[key] >= self.limit:
            return False
        self._held[key] += 1
        return True

    def release(self, key: str) -> None:
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
