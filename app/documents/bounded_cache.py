"""A cache of results that are derived from documents, by owner, with a limit on its total bytes."""

import re
from collections import OrderedDict
from heapq import heapify, heappop, heappush
from itertools import count, islice
from typing import Any

BYTES = 128_000_000
# A parsed token takes at most 560 bytes. Texts with far more tokens than the limit are never parsed.
_TOKEN, _TOKEN_BYTES, _MAX_TOKENS = re.compile(r"\w+|[^\s\w,]"), 600, 5_000
# The minimum for a document with its entry, and the size of a derived result such as a price or a plan.
_MIN_DOCUMENT_BYTES, _RESULT_BYTES = 8_000, 1_000
_SPARE_ENTRIES = 1_000
Key = tuple[Any, ...]


class Entry:
    """The results derived from one document, by function and further arguments."""

    __slots__ = ("results", "weight")

    def __init__(self) -> None:
        self.results: dict[Key, Any] = {}
        self.weight = 0


class OwnerDocuments(OrderedDict[str, Entry]):
    """The entries of one owner by document text, least recently used first, with their total bytes."""

    weight = 0
    # The sequence number of the last change.
    change = 0

    def drop_oldest(self) -> int:
        """Evict the least recently used document, and return its bytes."""
        _, entry = self.popitem(last=False)
        entry.results.clear()  # some of them refer to the document, and it to its entry
        self.weight -= entry.weight
        return entry.weight


class BoundedCache:
    """A cache that evicts from the owner with the most bytes first, so that every owner keeps its fair share."""

    def __init__(self, max_bytes: int = BYTES) -> None:
        self._max_bytes = max_bytes
        self._weight = 0
        self._owners: dict[object, OwnerDocuments] = {}
        self._heaviest = Heaviest(self._owners)

    def find(self, owner: object, text: str) -> Entry | None:
        documents = self._owners.get(owner)
        if documents is None or (entry := documents.get(text)) is None:
            return None
        documents.move_to_end(text)
        return entry

    def add(self, owner: object, text: str, key: Key, result: Any) -> Entry:
        documents = self._owners.setdefault(owner, OwnerDocuments())
        if (entry := documents.get(text)) is None:
            entry = documents[str(text)] = Entry()
            self._weigh(documents, entry, max(_MIN_DOCUMENT_BYTES, estimate_bytes(text)))
        entry.results[key] = result
        self._weigh(documents, entry, _RESULT_BYTES + sum(map(estimate_bytes, key)) + getattr(result, "weight", 0))
        self._heaviest.note(owner)
        while self._weight > self._max_bytes:
            self._shrink(self._heaviest.owner())
        return entry

    def _weigh(self, documents: OwnerDocuments, entry: Entry, added: int) -> None:
        entry.weight += added
        documents.weight += added
        self._weight += added

    def _shrink(self, owner: object) -> None:
        """Evict documents of an owner until the total fits or the owner is within its fair share."""
        documents, fair_share = self._owners[owner], self._max_bytes / len(self._owners)
        while documents and self._weight > self._max_bytes and documents.weight > fair_share:
            self._weight -= documents.drop_oldest()
        if documents:
            self._heaviest.note(owner)
        else:
            del self._owners[owner]


class Heaviest:
    """Finds the owner with the most bytes by a heap, whose outdated entries are dropped when they reach the top."""

    def __init__(self, owners: dict[object, OwnerDocuments]) -> None:
        self._owners = owners
        self._changes = count(1)
        self._heap: list[tuple[int, int, object]] = []

    def note(self, owner: object) -> None:
        """Record that an owner's bytes have changed."""
        documents = self._owners[owner]
        documents.change = next(self._changes)
        heappush(self._heap, (-documents.weight, documents.change, owner))
        if len(self._heap) > 2 * len(self._owners) + _SPARE_ENTRIES:
            self._heap = [(-documents.weight, documents.change, owner) for owner, documents in self._owners.items()]
            heapify(self._heap)

    def owner(self) -> object:
        """The owner with the most bytes; of several, the one that changed least recently."""
        while True:
            _, change, owner = self._heap[0]
            documents = self._owners.get(owner)
            if documents is not None and documents.change == change:
                return owner
            heappop(self._heap)


def estimate_bytes(part: Any) -> int:
    """The estimated bytes of a text and its parsed document; 0 for any other value."""
    return part.__sizeof__() + _TOKEN_BYTES * count_tokens(part) if isinstance(part, str) else 0


def count_tokens(text: str) -> int:
    """The number of tokens in a document, counted up to a limit beyond which it is never parsed."""
    return sum(1 for _ in islice(_TOKEN.finditer(text), _MAX_TOKENS))
