"""What was worked out for the documents that were sent lately, for each tenant apart.

Whether a text was sent before shows in the time that it takes, so what one tenant has sent must be new for another.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from itertools import islice
from typing import Any, Generic, ParamSpec, TypeVar

from graphql import DocumentNode

from app.caches import WeightedCache

P = ParamSpec("P")
T = TypeVar("T")
BYTES = 32_000_000
# A word or sign of a document takes at most 560 bytes when it is parsed; what is made of it is about as large. A text
# of far more words than documents may have is not parsed.
_WORD, _BYTES_OF_A_WORD, _MOST_WORDS = re.compile(r"\w+|[^\s\w,]"), 600, 5_000
# Small documents are counted as larger than they are, so that there are not too many of them.
_LEAST_BYTES = 16_000
# Owners beside the tenants: callers without a token, and everybody, for what the operator has published.
NOBODY, EVERYBODY = object(), object()

# Whose document the current request brings. It is set where a request's document is found, once for each request.
_owner: ContextVar[object] = ContextVar("owner", default=NOBODY)


def remember_for(owner: object) -> None:
    """Have the documents of the current request remembered for a tenant, by its ID, or for NOBODY or EVERYBODY."""
    _owner.set(owner)


class Remembered(Generic[P, T]):
    """A function of a document that remembers its results, but not what it has raised.

    As `functools.lru_cache`, but each owner has a shelf of its own, and all of them together are bounded by bytes. When
    these are used up, the owner that holds most forgets first: nobody pushes out what others hold within a fair share.
    """

    def __init__(self, work: Callable[P, T], bytes: int = BYTES) -> None:
        self._work: Callable[..., T] = work
        self._most = bytes
        self._weight = 0
        self._shelves: dict[object, WeightedCache[tuple[Any, ...], Any]] = {}

    def __call__(self, *key: P.args, **_: P.kwargs) -> T:
        shelf = self._shelves.get(_owner.get())
        if shelf is not None and (found := shelf.get(key)) is not None:
            shelf.move_to_end(key)
            return found[0]
        return self._added(key)

    def cache_clear(self) -> None:
        self._shelves, self._weight = {}, 0

    def _added(self, key: tuple[Any, ...]) -> T:
        result = self._work(*key)
        added = max(_LEAST_BYTES, sum(map(weight, key))) + getattr(result, "weight", 0)
        shelf = self._shelves.setdefault(_owner.get(), WeightedCache())
        self._weight += shelf.add(key, result, added)
        while self._weight > self._most:
            self._shrink(max(self._shelves, key=lambda owner: self._shelves[owner].weight))
        return result

    def _shrink(self, owner: object) -> None:
        """Have the one who holds most forget, until all fits or it holds no more than its fair share."""
        shelf, fair_share = self._shelves[owner], self._most / len(self._shelves)
        while shelf and self._weight > self._most and shelf.weight > fair_share:
            self._weight -= shelf.evict()
        if not shelf:
            del self._shelves[owner]


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
