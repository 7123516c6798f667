"""Automatic persisted documents: texts that clients have stored under their hash, separately for each tenant.

A hash that is found reveals that somebody has sent the text, so a tenant finds only its own.
"""

from collections import OrderedDict

from app.caches import WeightedCache

# A tenant holds at most an eighth of the memory, so that none can evict what all others have stored.
SHARE = 8
PER_TENANT = 1_000
_ENTRY_BYTES = 500


class AutomaticDocuments:
    """Texts by tenant and hash. When memory is short, the least recently active tenants are evicted."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._tenant_bytes = max_bytes // SHARE
        self._bytes = 0
        self._tenants: OrderedDict[str, WeightedCache[str, str]] = OrderedDict()

    def find(self, tenant_id: str, hash: str) -> str | None:
        texts = self._tenants.get(tenant_id)
        if texts is None:
            return None
        self._tenants.move_to_end(tenant_id)
        return texts.find(hash)

    def add(self, tenant_id: str, hash: str, text: str) -> None:
        """Store a text whose hash has been verified, unless it is larger than a tenant's share."""
        size = text.__sizeof__() + _ENTRY_BYTES
        if size > self._tenant_bytes:
            return
        texts = self._tenants.setdefault(tenant_id, WeightedCache())
        self._tenants.move_to_end(tenant_id)
        self._bytes += texts.add(hash, text, size)
        while texts.weight > self._tenant_bytes or len(texts) > PER_TENANT:
            self._bytes -= texts.evict()
        while self._bytes > self._max_bytes:
            _, evicted = self._tenants.popitem(last=False)
            self._bytes -= evicted.weight
