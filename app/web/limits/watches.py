"""Quotas of watches per tenant: their number, and the memory of the documents that they hold while they last."""

from collections import Counter, defaultdict

from app.documents.bounded_cache import estimate_bytes
from app.web.limits.quota import Quota

# A watch holds its parsed document, which watches with the same text share. About a hundred different ones fit.
DOCUMENT_BYTES = 8_000_000


class WatchQuota:
    """Counts the watches of each tenant, and weighs their different documents."""

    def __init__(self, limit: int, document_bytes: int = DOCUMENT_BYTES) -> None:
        self._watches = Quota(limit)
        self._document_bytes = document_bytes
        self._texts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._weights: Counter[str] = Counter()

    def begin(self, tenant_id: str, text: str) -> str | None:
        """Count one more watch until `end`. Returns the reason if a quota is exhausted."""
        is_shared = tenant_id in self._texts and text in self._texts[tenant_id]
        added = 0 if is_shared else estimate_bytes(text)
        if added and self._weights[tenant_id] + added > self._document_bytes:
            return "Your tenant's watches on this server use too many different documents. Let them share some."
        if not self._watches.acquire(tenant_id):
            return f"Your tenant has {self._watches.limit} watches on this server, which is the limit."
        self._texts[tenant_id][text] += 1
        self._weights[tenant_id] += added
        return None

    def end(self, tenant_id: str, text: str) -> None:
        self._watches.release(tenant_id)
        texts = self._texts[tenant_id]
        texts[text] -= 1
        if texts[text]:
            return
        del texts[text]
        self._weights[tenant_id] -= estimate_bytes(text)
        if not texts:
            del self._texts[tenant_id], self._weights[tenant_id]
