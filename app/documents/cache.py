"""What was worked out for the documents that were sent lately, for each tenant apart.

Whether a text was sent before shows in the time that it takes, so what one tenant has sent must be new for another.
"""

import re
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from heapq import heapify, heappop, heappush
from itertools import count, islice
from typing import Any, Generic, ParamSpec, TypeVar

from graphql import DocumentNode

P = ParamSpec("P")
T = TypeVar("T")
BYTES = 32_000_000
# A word or sign of a document takes at most 560 bytes when it is parsed; what is made of it is about as large. A text
# of far more words than documents may have is not parsed.
_WORD, _BYTES_OF_A_WORD, _MOST_WORDS = re.compile(r"\w+|[^\s\w,]"), 600, 5_000
# Small documents are counted as larger than they are, so that there are not too many of them.
_LEAST_BYTES = 16_000
_SPARE_ENTRIES = 1_000
# Owners beside the tenants: callers without a token, and everybody, for what the operator has published.
NOBODY, EVERYBODY = object(), object()

# Whose document the current request brings. It is set where a request's document is found, once for each request.
_owner: ContextVar[object] = ContextVar("owner", default=NOBODY)


def remember_for(owner: object) -> None:
    """Have the documents of the current request remembered for a tenant, by its ID, or for NOBODY or EVERYBODY."""
    _owner.set(owner)


class Shelf(OrderedDict[tuple[Any, ...], tuple[Any, int]]):
    """What is remembered for one owner, the least recently used first, and how many bytes that is."""

    weight = 0
    # The number of its last change.
    change = 0

    def drop_oldest(self) -> int:
        """Forget one entry; returns its bytes."""
        _, (_, weight) = self.popitem(last=False)
        self.weight -= weight
        return weight


class Remembered(Generic[P, T]):
    """A function of a document that remembers its results, but not what it has raised.

    As `functools.lru_cache`, but each owner has a shelf of its own, and all of them together are bounded by bytes. When
    these are used up, the owner that holds most forgets first: nobody pushes out what others hold within a fair share.
    """

    def __init__(self, work: Callable[P, T], bytes: int = BYTES) -> None:
        self._work: Callable[..., T] = work
        self._most = bytes
        self._weight = 0
        self._shelves: dict[object, Shelf] = {}
        self._heaviest = Heaviest(self._shelves)

    def __call__(self, *key: P.args, **_: P.kwargs) -> T:
        shelf = self._shelves.get(_owner.get())
        if shelf is not None and (found := shelf.get(key)) is not None:
            shelf.move_to_end(key)
            return found[0]
        return self._added(key)

    def cache_clear(self) -> None:
        self._shelves.clear()
        self._weight = 0

    def _added(self, key: tuple[Any, ...]) -> T:
        result = self._work(*key)
        added = max(_LEAST_BYTES, sum(map(weight, key))) + getattr(result, "weight", 0)
        owner = _owner.get()
        shelf = self._shelves.setdefault(owner, Shelf())
        shelf[key] = result, added
        shelf.weight += added
        self._weight += added
        self._heaviest.note(owner)
        while self._weight > self._most:
            self._shrink(self._heaviest.owner())
        return result

    def _shrink(self, owner: object) -> None:
        """Have the one who holds most forget, until all fits or it holds no more than its fair share."""
        shelf, fair_share = self._shelves[owner], self._most / len(self._shelves)
        while shelf and self._weight > self._most and shelf.weight > fair_share:
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
        """An owner's shelf has changed."""
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
    """Of a part of a key: a text, a document, or what was there before."""
    if isinstance(part, DocumentNode):
        part = part.loc and part.loc.source.body
    if not isinstance(part, str):
        return 0
    return part.__sizeof__() + _BYTES_OF_A_WORD * words(part)


def words(text: str) -> int:
    """How many words and signs a document has, as far as it may be parsed."""
    return sum(1 for _ in islice(_WORD.finditer(text), _MOST_WORDS))
