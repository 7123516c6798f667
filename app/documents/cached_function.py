"""The document of a request, and functions of documents that cache their results separately for each owner.

A cache hit is measurable, so a document of one tenant must not be a hit for another.
"""

from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from app.documents.bounded_cache import BoundedCache, Entry, Key

P = ParamSpec("P")
T = TypeVar("T")
# Owners besides tenants, which are owners by their ID: callers without a token, and all callers, for trusted documents.
NOBODY, EVERYBODY = object(), object()
_ABSENT: Any = object()


class Document(str):
    """The text of a document, with the results that were derived from it for its owner.

    A string, so that Strawberry and graphql-core take it as it is. Looked up once for each request.
    """

    __slots__ = ("_cache", "_entry", "_owner")
    _cache: BoundedCache
    _owner: object
    _entry: Entry | None

    def __new__(cls, text: str, owner: object, cache: BoundedCache) -> Self:
        document = super().__new__(cls, text)
        document._cache, document._owner = cache, owner
        document.look_up()
        return document

    def look_up(self) -> None:
        """Find the results that are cached now. They count as used, so that older ones are evicted first."""
        self._entry = self._cache.find(self._owner, self)

    def result(self, key: Key, default: Any) -> Any:
        return default if self._entry is None else self._entry.results.get(key, default)

    def keep(self, key: Key, result: Any) -> None:
        self._entry = self._cache.add(self._owner, self, key, result)


class CachedFunction(Generic[P, T]):
    """A function of a document that caches its results, but not its exceptions. A plain text is a document of nobody.

    Like `functools.lru_cache`, but separate for each owner. Several functions share one cache, so that all results of a
    document are evicted together.
    """

    def __init__(self, function: Callable[Concatenate[str, P], T], cache: BoundedCache) -> None:
        self._function: Callable[..., T] = function
        self._cache = cache

    def __call__(self, text: str, *rest: P.args, **_: P.kwargs) -> T:
        document = text if isinstance(text, Document) else Document(text, NOBODY, self._cache)
        key: Key = (self, *rest)
        if (found := document.result(key, _ABSENT)) is _ABSENT:
            found = self._function(document, *rest)
            document.keep(key, found)
        return found
