"""The cache of what is computed for documents, separate for each tenant.

Response times reveal whether a document is cached, so one tenant never hits what another has sent.
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
# A parsed token takes at most 560 bytes, and what is computed from it about as much. Texts with far more tokens than
# documents may have are not parsed, so they are not counted further.
_TOKEN, _TOKEN_BYTES, _MAX_TOKENS = re.compile(r"\w+|[^\s\w,]"), 600, 5_000
# The minimum weight of an entry, which also bounds the number of small documents.
_MIN_BYTES = 16_000
# Owners besides tenants: NOBODY for callers without a token, EVERYBODY for the documents of the manifest.
NOBODY, EVERYBODY = object(), object()

# The owner of the current request's document, set once for each request.
_owner: ContextVar[object] = ContextVar("owner", default=NOBODY)


def use_cache_of(owner: object) -> None:
    """Use the cache of a tenant, by its ID, or of NOBODY or EVERYBODY, for the document of the current request."""
    _owner.set(owner)


class TenantCache(Generic[P, T]):
    """Caches the results of a function of a document, but not its exceptions.

    It resembles `functools.lru_cache`, but each owner has a cache of its own, and all of them together are bounded by
    bytes. When the bound is reached, entries of the largest cache are evicted, so that nobody can evict what others
    hold within a fair share.
    """

    def __init__(self, compute: Callable[P, T], bytes: int = BYTES) -> None:
        self._compute: Callable[..., T] = compute
        self._max_bytes = bytes
        self._weight = 0
        self._caches: dict[object, WeightedCache[tuple[Any, ...], Any]] = {}

    def __call__(self, *key: P.args, **_: P.kwargs) -> T:
        cache = self._caches.get(_owner.get())
        if cache is not None and (found := cache.get(key)) is not None:
            cache.move_to_end(key)
            return found[0]
        return self._add(key)

    def cache_clear(self) -> None:
        self._caches, self._weight = {}, 0

    def _add(self, key: tuple[Any, ...]) -> T:
        result = self._compute(*key)
        added = max(_MIN_BYTES, sum(map(weight, key))) + getattr(result, "weight", 0)
        cache = self._caches.setdefault(_owner.get(), WeightedCache())
        self._weight += cache.add(key, result, added)
        while self._weight > self._max_bytes:
            self._shrink(max(self._caches, key=lambda owner: self._caches[owner].weight))
        return result

    def _shrink(self, owner: object) -> None:
        """Evict entries of one owner until all caches fit, or it holds no more than its fair share."""
        cache, fair_share = self._caches[owner], self._max_bytes / len(self._caches)
        while cache and self._weight > self._max_bytes and cache.weight > fair_share:
            self._weight -= cache.evict()
        if not cache:
            del self._caches[owner]


def weight(part: Any) -> int:
    """The bytes to count for one argument: texts and documents count by their length, anything else as nothing."""
    if isinstance(part, DocumentNode):
        part = part.loc and part.loc.source.body
    if not isinstance(part, str):
        return 0
    return part.__sizeof__() + _TOKEN_BYTES * count_tokens(part)


def count_tokens(text: str) -> int:
    """The number of tokens of a document, up to a bound beyond which none is parsed."""
    return sum(1 for _ in islice(_TOKEN.finditer(text), _MAX_TOKENS))
