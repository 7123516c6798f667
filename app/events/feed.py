"""The feed: one tailer reads the log into a bounded ring, and every watcher is a position in the log.

A watcher has no queue. One that is slow is further behind, and reads what the ring has dropped from the store.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from itertools import islice
from typing import Any, NamedTuple

import structlog

from app.errors import CursorExpired
from app.events.cursor import Seal
from app.events.hint import Hint
from app.model import Caller, Change
from app.store import log
from app.store.database import Store
from app.store.snapshot import read_following, read_once

logger: Any = structlog.get_logger("feed")
PAGE = 1_000
UNHEALTHY_AFTER_SECONDS = 2.0
LAST_READ_SECONDS = 5


class Item(NamedTuple):
    """What a watcher gets next: a change, or (None) word that nothing up to `position` is still to come."""

    position: int
    change: Change | None


class Feed:
    """Follows the log of one store, for all watchers of this process."""

    def __init__(self, store: Store, hint: Hint, ring_size: int, poll_seconds: float) -> None:
        self._store = store
        self._hint = hint
        self._poll_seconds = poll_seconds
        self._ring: deque[Change] = deque(maxlen=ring_size)
        self._top = 0
        self._moved = asyncio.Event()
        self._tailer: asyncio.Task[None] | None = None
        self._closing = False
        self._last_read = -UNHEALTHY_AFTER_SECONDS
        self.seal: Seal

    async def start(self) -> None:
        """Begin at the present head of the log."""
        head = await self.head()
        self.seal = Seal(head)
        self._top = head.seq
        self._last_read = _now()
        self._tailer = asyncio.create_task(self._tail())

    async def stop(self) -> None:
        """Ask the tailer to end and wait for it: it is never cancelled inside a query."""
        self._closing = True
        self._hint.give()
        if self._tailer is not None:
            await asyncio.wait({self._tailer}, timeout=LAST_READ_SECONDS)
        self._wake()

    @property
    def is_healthy(self) -> bool:
        """Whether the log could be read a moment ago, and so the store."""
        return _now() - self._last_read < max(UNHEALTHY_AFTER_SECONDS, 4 * self._poll_seconds)

    async def head(self) -> log.LogHead:
        return await read_once(self._store, log.head)

    async def position_after(self, seq: int | None) -> int:
        """Where a watch starts: behind `seq`, or live from now."""
        head = await self.head()
        if seq is None:
            return head.seq
        if not head.floor <= seq <= head.seq:
            raise CursorExpired("The cursor is outside the kept log. Read the lists again and start anew.")
        return seq

    async def follow(
        self, viewer: Caller, concerns: Callable[[Change], bool], position: int, silence: float
    ) -> AsyncGenerator[Item, None]:
        """The changes behind `position` that concern the watcher, in commit order, each once.

        After `silence` seconds without one it says how far it has read.
        """
        clock = asyncio.get_running_loop().time
        due = clock() + silence
        while not self._closing:
            moved, top = self._moved, self._top
            changes, reached = await self._next(viewer, position, top)
            for change in filter(concerns, changes):
                yield Item(change.seq, change)
                due = clock() + silence
            position = max(position, reached)
            if clock() >= due:
                yield Item(position, None)
                due = clock() + silence
            elif position >= self._top:
                await _wait(moved, due - clock())

    async def _next(self, viewer: Caller, position: int, top: int) -> tuple[list[Change], int]:
        """Some of the changes behind the position, and how far they reach; from the ring where it goes back so far."""
        if position >= top:
            return [], position
        if self._ring and self._ring[0].seq <= position + 1:
            first = position + 1 - self._ring[0].seq
            return list(islice(self._ring, first, None)), self._ring[-1].seq
        page = await read_once(self._store, log.read_concerning, viewer, position, PAGE)
        if len(page) == PAGE:
            return page, page[-1].seq
        return [change for change in page if change.seq <= top], top

    async def _tail(self) -> None:
        while not self._closing:
            changes = await self._read_on()
            self._advance(changes)
            if not changes:
                await self._hint.wait(self._poll_seconds)

    async def _read_on(self) -> list[Change]:
        try:
            changes = await read_following(self._store, log.read_after, self._top, PAGE)
        except Exception as error:  # a tailer that died would stop every watch, so it tries again
            logger.error("the log can't be read", exc_info=error)
            return []
        self._last_read = _now()
        return changes

    def _advance(self, changes: list[Change]) -> None:
        for change in changes:
            if change.seq != self._top + 1:
                logger.error("hole in the log", expected=self._top + 1, found=change.seq)
                self._ring.clear()
            self._ring.append(change)
            self._top = change.seq
        if changes:
            self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
