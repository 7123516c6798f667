"""The memory for what was worked out of documents: a shelf for each owner, and a bound on the bytes of all of them."""

import re
from collections import OrderedDict
from heapq import heapify, heappop, heappush
from itertools import count, islice
from typing import Any

BYTES = 128_000_000
# A word or sign of a document takes at most 560 bytes when it is parsed. A text of far more words than documents may
# have is not parsed.
_WORD, _BYTES_OF_A_WORD, _MOST_WORDS = re.compile(r"\w+|[^\s\w,]"), 600, 5_000
# The smallest documents, with their place on the shelf, and what else is worked out of one: its price, its plan.
_LEAST_BYTES, _BYTES_OF_A_RESULT = 8_000, 1_000
_SPARE_ENTRIES = 1_000
Key = tuple[Any, ...]


class Entry:
    """All that was worked out of one document, by the step and whatever else it depends on."""

    __slots__ = ("results", "weight")

    def __init__(self) -> None:
        self.results: dict[Key, Any] = {}
        self.weight = 0


class Shelf(OrderedDict[str, Entry]):
    """One owner's documents by their text, the least recently used first, and how many bytes they take."""

    weight = 0
    # The number of its last change.
    change = 0

    def drop_oldest(self) -> int:
        """Forget one document; returns its bytes."""
        _, entry = self.popitem(last=False)
        self.weight -= entry.weight
        return entry.weight


class Memory:
    """Shelves by owner. When the bytes are used up, the owner that holds most forgets its oldest documents first.

    So nobody evicts what others hold within a fair share.
    """

    def __init__(self, max_bytes: int = BYTES) -> None:
        self._max_bytes = max_bytes
        self._weight = 0
        self._shelves: dict[object, Shelf] = {}
        self._heaviest = Heaviest(self._shelves)

    def find(self, owner: object, text: str) -> Entry | None:
        shelf = self._shelves.get(owner)
        if shelf is None or (entry := shelf.get(text)) is None:
            return None
        shelf.move_to_end(text)
        return entry

    def add(self, owner: object, text: str, key: Key, result: Any) -> None:
        shelf = self._shelves.setdefault(owner, Shelf())
        if (entry := shelf.get(text)) is None:
            entry = shelf[text] = Entry()
            self._weigh(shelf, entry, max(_LEAST_BYTES, weight(text)))
        entry.results[key] = result
        self._weigh(shelf, entry, _BYTES_OF_A_RESULT + sum(map(weight, key)) + getattr(result, "weight", 0))
        self._heaviest.note(owner)
        while self._weight > self._max_bytes:
            self._shrink(self._heaviest.owner())

    def _weigh(self, shelf: Shelf, entry: Entry, added: int) -> None:
        entry.weight += added
        shelf.weight += added
        self._weight += added

    def _shrink(self, owner: object) -> None:
        """Have the one who holds most forget, until all fits or it holds no more than its fair share."""
        shelf, fair_share = self._shelves[owner], self._max_bytes / len(self._shelves)
        while shelf and self._weight > self._max_bytes and shelf.weight > fair_share:
            self._weight -= shelf.drop_oldest()
        if shelf:
            self._heaviest.note(owner)
        else:
            del self._shelves[owner]


class Heaviest:
    """Finds the owner that holds most, of as many as there are, without looking at all of them.

    A heap with an entry for each change of a shelf; those of earlier changes are dropped when they come up.
    """

    def __init__(self, shelves: dict[object, Shelf]) -> None:
        self._shelves = shelves
        self._changes = count(1)
        self._heap: list[tuple[int, int, object]] = []

    def note(self, owner: object) -> None:
        """Record that an owner's shelf has changed."""
        shelf = self._shelves[owner]
        shelf.change = next(self._changes)
        heappush(self._heap, (-shelf.weight, shelf.change, owner))
        if len(self._heap) > 2 * len(self._shelves) + _SPARE_ENTRIES:
            self._heap = [(-shelf.weight, shelf.change, owner) for owner, shelf in self._shelves.items()]
            heapify(self._heap)

    def owner(self) -> object:
        """Of those that hold equally much, the one whose shelf has not changed for longest."""
        while True:
            _, change, owner = self._heap[0]
            shelf = self._shelves.get(owner)
            if shelf is not None and shelf.change == change:
                return owner
            heappop(self._heap)


def weight(part: Any) -> int:
    """The bytes of a text, and of all that is worked out of it; 0 for what is no text."""
    return part.__sizeof__() + _BYTES_OF_A_WORD * words(part) if isinstance(part, str) else 0


def words(text: str) -> int:
    """How many words and signs a document has, as far as it may be parsed."""
    return sum(1 for _ in islice(_WORD.finditer(text), _MOST_WORDS))
