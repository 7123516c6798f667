"""In-memory caches, bounded by entries, bytes or age. `functools.lru_cache` serves where results never differ."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def put(cache: dict[K, V], key: K, value: V, max_entries: int) -> None:
    """Add an entry to a plain dictionary, and evict the oldest one when there are too many."""
    cache[key] = value
    if len(cache) > max_entries:
        del cache[next(iter(cache))]


class WeightedCache(OrderedDict[K, tuple[V, int]]):
    """Entries with their weight in bytes, the least recently used first. Its owner decides when to evict."""

    weight = 0

    def find(self, key: K) -> V | None:
        entry = self.get(key)
        if entry is None:
            return None
        self.move_to_end(key)
        return entry[0]

    def add(self, key: K, value: V, weight: int) -> int:
        """Add or replace an entry; returns by how much the weight of the cache has grown."""
        _, replaced = self.pop(key, (None, 0))
        self[key] = value, weight
        self.weight += weight - replaced
        return weight - replaced

    def evict(self) -> int:
        """Drop the least recently used entry; returns its weight."""
        _, (_, weight) = self.popitem(last=False)
        self.weight -= weight
        return weight


class ExpiringCache(Generic[K, V]):
    """Entries with the time at which they were added: a limited number, for a limited time."""

    def __init__(self, max_entries: int, max_age: float) -> None:
        self.max_entries = max_entries
        self.max_age = max_age
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: K, now: float, since: float) -> V | None:
        """The value, if it was added at or after `since` and has not expired."""
        added, value = self._entries.get(key, (0.0, None))
        return value if added >= max(since, now - self.max_age) else None

    def add(self, key: K, value: V, now: float) -> None:
        self._entries[key] = now, value
        self._entries.move_to_end(key)
        while len(self._entries) > self.max_entries or self._oldest() < now - self.max_age:
            self._entries.popitem(last=False)

    def _oldest(self) -> float:
        added, _ = next(iter(self._entries.values()))
        return added
