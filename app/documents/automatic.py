"""Documents that clients persist by themselves ("automatic persisted queries"), each tenant's apart from the others'.

Whether a hash is known tells that somebody has asked this very text, so it is told to the same tenant only. A tenant
has a share, so that none can push out what all others have kept.
"""

from collections import OrderedDict

SHARE = 8
PER_TENANT = 1_000
_BESIDE_THE_TEXT = 500


class Automatic:
    """Texts by tenant and hash, the latest ones: up to a limit, of which one tenant may have an eighth."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._of: OrderedDict[str, Shelf] = OrderedDict()

    def find(self, tenant_id: str, hash: str) -> str | None:
        shelf = self._of.get(tenant_id)
        if shelf is None:
            return None
        self._of.move_to_end(tenant_id)
        return shelf.find(hash)

    def keep(self, tenant_id: str, hash: str, text: str) -> None:
        """Remember a text whose hash was checked. One that is larger than a tenant's share is not kept."""
        if _weight(text) > self._max_bytes // SHARE:
            return
        shelf = self._of.setdefault(tenant_id, Shelf(self._max_bytes // SHARE))
        self._of.move_to_end(tenant_id)
        before = shelf.bytes
        shelf.keep(hash, text)
        self._bytes += shelf.bytes - before
        while self._bytes > self._max_bytes:
            _, gone = self._of.popitem(last=False)
            self._bytes -= gone.bytes


class Shelf:
    """The documents of one tenant; the one that was not asked for the longest goes first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._texts: OrderedDict[str, str] = OrderedDict()
        self.bytes = 0

    def find(self, hash: str) -> str | None:
        text = self._texts.get(hash)
        if text is not None:
            self._texts.move_to_end(hash)
        return text

    def keep(self, hash: str, text: str) -> None:
        if hash not in self._texts:
            self.bytes += _weight(text)
        self._texts[hash] = text
        self._texts.move_to_end(hash)
        while self.bytes > self._max_bytes or len(self._texts) > PER_TENANT:
            _, gone = self._texts.popitem(last=False)
            self.bytes -= _weight(gone)


def _weight(text: str) -> int:
    """About what a text takes in memory, with its place."""
    return text.__sizeof__() + _BESIDE_THE_TEXT
