"""The watches of each tenant on this server: so many, and so much of documents that they hold as long as they last."""

from collections import Counter, defaultdict

from app.documents.memory import weight
from app.web.limits.tenant_counts import Crowd

# A watch holds its document, parsed; those with the same text share it. About a hundred different ones fit.
DOCUMENT_BYTES = 8_000_000


class Watches(Crowd):
    """Counts watches by tenant, and weighs the different documents of each tenant's watches."""

    def __init__(self, limit: int, document_bytes: int = DOCUMENT_BYTES) -> None:
        super().__init__(limit)
        self._document_bytes = document_bytes
        self._texts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._weights: Counter[str] = Counter()

    def begin(self, tenant_id: str, text: str) -> str | None:
        """Why there is no room for one more watch; None when there is, and then it ends with `end`."""
        is_shared = tenant_id in self._texts and text in self._texts[tenant_id]
        weighs = 0 if is_shared else weight(text)
        if weighs and self._weights[tenant_id] + weighs > self._document_bytes:
            return "Your tenant's watches here have more different documents than it may have. Let them share some."
        if not self.enter(tenant_id):
            return f"Your tenant has {self.limit} watches here, the most that one may have."
        self._texts[tenant_id][text] += 1
        self._weights[tenant_id] += weighs
        return None

    def end(self, tenant_id: str, text: str) -> None:
        self.leave(tenant_id)
        texts = self._texts[tenant_id]
        texts[text] -= 1
        if texts[text]:
            return
        del texts[text]
        self._weights[tenant_id] -= weight(text)
        if not texts:
            del self._texts[tenant_id], self._weights[tenant_id]
