"""The newest events of the log, in memory, and the bells that wake the watchers they concern."""

import asyncio
from collections import deque
from collections.abc import Iterable
from itertools import islice
from weakref import WeakValueDictionary

from app.model import Caller, Change

_OPERATORS = ""


class Ring:
    """A bounded stretch of the log without holes, up to `top`."""

    def __init__(self, size: int) -> None:
        self._changes: deque[Change] = deque(maxlen=size)
        self._bells: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self.top = 0

    @property
    def newest(self) -> Change | None:
        """The event at `top`, if it is still known."""
        return self._changes[-1] if self._changes else None

    def restart(self, top: int) -> None:
        """Drop all events; the next one follows `top`."""
        self._changes.clear()
        self.top = top
        self.ring_all()

    def append(self, changes: Iterable[Change]) -> None:
        parties: set[str] = set()
        for change in changes:
            self._changes.append(change)
            self.top = change.seq
            parties |= {change.entry.owner_id, change.entry.tenant_id, _OPERATORS}
        for party in parties:
            self._ring(party)

    def behind(self, position: int, at_most: int) -> list[Change] | None:
        """The next events after the position, at most this many; None if the ring does not go back so far."""
        if not self._changes or self._changes[0].seq > position + 1:
            return None
        missing = self.top - position
        if missing > at_most:
            start = len(self._changes) - missing
            return list(islice(self._changes, start, start + at_most))
        return list(islice(reversed(self._changes), missing))[::-1]

    def bell(self, viewer: Caller) -> asyncio.Event:
        """Set when there is something new that may concern the viewer. Take it before looking, not to miss it."""
        name = _OPERATORS if viewer.is_operator else viewer.tenant_id
        bell = self._bells.get(name)
        if bell is None:
            bell = self._bells[name] = asyncio.Event()
        return bell

    def ring_all(self) -> None:
        for name in list(self._bells):
            self._ring(name)

    def _ring(self, name: str) -> None:
        bell = self._bells.pop(name, None)
        if bell is not None:
            bell.set()
