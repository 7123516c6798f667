"""How many connections and watches each tenant has on this server, and no more than it may."""

from collections import Counter


class Crowd:
    """Counts something by tenant, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._present: Counter[str] = Counter()

    @property
    def size(self) -> int:
        """All of them, whoever's they are."""
        return self._present.total()

    def enter(self, tenant_id: str) -> bool:
        """Whether there is room for one more; whoever was let in leaves in the end."""
        if self._present[tenant_id] >= self.limit:
            return False
        self._present[tenant_id] += 1
        return True

    def leave(self, tenant_id: str) -> None:
        self._present[tenant_id] -= 1
        if not self._present[tenant_id]:
            del self._present[tenant_id]
