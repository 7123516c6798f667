"""Caches of what was worked out for the documents that were sent lately, for each tenant apart.

Whether a text was sent before shows in the time that it takes, so what one tenant has sent must be new for another.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from app.documents.memory import Memory

P = ParamSpec("P")
T = TypeVar("T")
# Owners beside the tenants: callers without a token, and everybody, for what the operator has published.
NOBODY, EVERYBODY = object(), object()
_ABSENT: Any = object()

# Whose document the current request brings. It is set where a request's document is found, once for each request.
_owner: ContextVar[object] = ContextVar("owner", default=NOBODY)


def use_cache_of(owner: object) -> None:
    """Have the documents of the current request remembered for a tenant, by its ID, or for NOBODY or EVERYBODY."""
    _owner.set(owner)


class TenantCache(Generic[P, T]):
    """A function of a document's text that remembers its results, but not what it has raised.

    As `functools.lru_cache`, but for each owner apart, and in a memory that several functions share, so that a document
    is forgotten whole.
    """

    def __init__(self, work: Callable[Concatenate[str, P], T], memory: Memory) -> None:
        self._work: Callable[..., T] = work
        self._memory = memory

    def __call__(self, text: str, *rest: P.args, **_: P.kwargs) -> T:
        key: tuple[Any, ...] = (self, *rest)
        entry = self._memory.find(_owner.get(), text)
        if entry is not None and (found := entry.results.get(key, _ABSENT)) is not _ABSENT:
            return found
        result = self._work(text, *rest)
        self._memory.add(_owner.get(), text, key, result)
        return result
