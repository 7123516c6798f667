"""Finds the keys that may have signed a token, by its algorithm and key ID."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from app.errors import KeyAwaited, Unauthenticated
from app.web.callers.faults import Fault
from app.web.callers.keys import MAX_KEY_ID, Key

MAX_CANDIDATES = 4


class KeyIndex:
    """Published keys by their IDs, and the algorithms that they may be used with."""

    def __init__(self, keys: frozenset[Key], algorithms: Collection[str]) -> None:
        self.keys = keys
        self.algorithms = frozenset(algorithms)
        by_id: defaultdict[str | None, list[Key]] = defaultdict(list)
        for key in keys:
            by_id[key.id].append(key)
        self._by_id = dict(by_id)

    def find(self, algorithm: str, id: str | None) -> Sequence[Key]:
        """The keys for an algorithm and a key ID. Raises KeyAwaited if there are none, since a fetch may bring one."""
        if id is not None and len(id) > MAX_KEY_ID:
            raise Unauthenticated(Fault.KEY_ID)
        named = self.keys if id is None else self._by_id.get(id, ())
        found = [key for key in named if key.algorithm == algorithm]
        if len(found) > MAX_CANDIDATES:
            raise Unauthenticated(Fault.MANY_KEYS)
        if not found and named and id is not None:
            raise Unauthenticated(Fault.KEY_ALGORITHM)
        if not found:
            raise KeyAwaited(Fault.KEY_AWAITED)
        return found
