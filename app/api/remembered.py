"""What was worked out for the documents that were seen lately: so many of them, and no more than so many bytes."""

import re
from collections.abc import Callable
from itertools import islice
from typing import Any, Generic, ParamSpec, TypeVar

from graphql import DocumentNode

P = ParamSpec("P")
T = TypeVar("T")
PLACES, BYTES = 2_000, 32_000_000
# A word or sign of a document takes at most 560 bytes when it is parsed; what is made of it is about as large. A text
# of far more words than documents may have is not parsed.
_WORD, _BYTES_OF_A_WORD, _LEAST_BYTES, _MOST_WORDS = re.compile(r"\w+|[^\s\w,]"), 600, 1_000, 5_000


class Remembered(Generic[P, T]):
    """A function of a document, which remembers what it has given; not what it has raised.

    As `functools.lru_cache`, but bounded by weight. There are two generations: when the younger one is full, the older
    one is dropped whole, and what is asked for moves to the younger.
    """

    def __init__(self, work: Callable[P, T], places: int = PLACES, bytes: int = BYTES) -> None:
        self._work: Callable[..., T] = work
        self._most_young, self._most_weight = places // 2, bytes // 2
        self._young: dict[tuple[Any, ...], tuple[T, int]] = {}
        self._old: dict[tuple[Any, ...], tuple[T, int]] = {}
        self._weight = 0

    def __call__(self, *key: P.args, **_: P.kwargs) -> T:
        found = self._young.get(key)
        return self._moved(key) if found is None else found[0]

    def cache_clear(self) -> None:
        self._young, self._old, self._weight = {}, {}, 0

    def _moved(self, key: tuple[Any, ...]) -> T:
        found = self._old.pop(key, None) or (self._work(*key), _LEAST_BYTES + sum(map(weight, key)))
        self._young[key] = found
        self._weight += found[1]
        if len(self._young) >= self._most_young or self._weight >= self._most_weight:
            self._old, self._young, self._weight = self._young, {}, 0
        return found[0]


def weight(part: Any) -> int:
    """Of a part of a key: a text, a document, or what was there before."""
    if isinstance(part, DocumentNode):
        part = part.loc and part.loc.source.body
    if not isinstance(part, str):
        return 0
    return part.__sizeof__() + _BYTES_OF_A_WORD * sum(1 for _ in islice(_WORD.finditer(part), _MOST_WORDS))
