"""Caches functions of document texts separately for each tenant.

A cache hit is measurable, so a document of one tenant must not be a hit for another.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from app.documents.bounded_cache import BoundedCache

P = ParamSpec("P")
T = TypeVar("T")
# Owners besides tenants: callers without a token, and all callers, for trusted documents.
NOBODY, EVERYBODY = object(), object()
_ABSENT: Any = object()

# The owner of the current request's document, set when the document is looked up.
_owner: ContextVar[object] = ContextVar("owner", default=NOBODY)


def use_cache_of(owner: object) -> None:
    """Cache the documents of the current request for a tenant, by its ID, or for NOBODY or EVERYBODY."""
    _owner.set(owner)


class TenantCache(Generic[P, T]):
    """A function of a document's text that caches its results, but not its exceptions.

    Like `functools.lru_cache`, but separate for each owner. Several functions share one cache, so that all results of a
    document are evicted together.
    """

    def __init__(self, function: Callable[Concatenate[str, P], T], cache: BoundedCache) -> None:
        self._function: Callable[..., T] = function
        self._cache = cache

    def __call__(self, text: str, *rest: P.args, **_: P.kwargs) -> T:
        key: tuple[Any, ...] = (self, *rest)
        entry = self._cache.find(_owner.get(), text)
        if entry is not None and (found := entry.results.get(key, _ABSENT)) is not _ABSENT:
            return found
        result = self._function(text, *rest)
        self._cache.add(_owner.get(), text, key, result)
        return result
