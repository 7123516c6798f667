"""The feed: one tailer reads the log into a bounded ring, and every watcher is a position in the log.

A watcher has no queue. One that is slow is further behind, and reads what the ring has dropped from the store.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import structlog

from app.errors import Unavailable
from app.events.cursor import Gap, Mark, Seal
from app.events.hint import Hint
from app.events.ring import Ring
from app.events.statistics import Figures
from app.model import Caller, Change
from app.repeated_errors import RepeatedErrors
from app.store import log
from app.store.database import AWAY, Store
from app.store.snapshot import FOLLOWING_SECONDS, in_time, read_following, read_once

logger: Any = structlog.get_logger("feed")
View = TypeVar("View")
PAGE = 1_000
UNHEALTHY_AFTER_SECONDS = 2.0
LAST_READ_SECONDS = 5


class Item(NamedTuple):
    """The next item of a watch: a change, or the news that there is none up to `position`, or a gap."""

    position: int
    change: Change | None = None
    gap: Gap | None = None


class Feed:
    """Follows the log of one store, for all watchers of this process."""

    def __init__(self, store: Store, hint: Hint, ring_size: int, poll_seconds: float) -> None:
        self._store = store
        self._hint = hint
        self._poll_seconds = poll_seconds
        self._ring = Ring(ring_size)
        self._tailer: asyncio.Task[None] | None = None
        self._closing = False
        self._last_read = float("-inf")
        self._begun_anew = asyncio.Event()
        self.figures = Figures()
        self._failed_reads = RepeatedErrors(logger, "the log can't be read")
        self._failed_watches = RepeatedErrors(logger, "a watch can't read on")
        self._seal: Seal | None = None

    async def start(self) -> None:
        """Begin at the present head of the log."""
        self._begin_at(await self.head())
        self._last_read = _now()
        self._tailer = asyncio.create_task(self._tail())

    @property
    def seal(self) -> Seal:
        """The key to the cursors of the present log. Raises Unavailable until the log has been read."""
        if self._seal is None:
            raise Unavailable(AWAY)
        return self._seal

    def end_watches(self) -> None:
        """End every watch, because the process is about to end."""
        self._closing = True
        self._ring.ring_all()

    async def stop(self) -> None:
        """Signal the tailer to end, and wait for it: it is never cancelled inside a query."""
        self.end_watches()
        self._hint.signal()
        if self._tailer is not None:
            await asyncio.wait({self._tailer}, timeout=LAST_READ_SECONDS)

    @property
    def is_ending(self) -> bool:
        """Whether every watch is to end."""
        return self._closing

    @property
    def seconds_since_read(self) -> float:
        """Seconds since the last successful read of the log."""
        return _now() - self._last_read

    @property
    def is_healthy(self) -> bool:
        """Whether the log could be read a moment ago, and so the store."""
        return self.seconds_since_read < max(UNHEALTHY_AFTER_SECONDS, 4 * self._poll_seconds)

    async def head(self) -> log.LogHead:
        return await read_once(self._store, log.head)

    async def present(self) -> tuple[Seal, log.LogHead]:
        """The head of the log, and the seal of that very log."""
        return await self.with_seal(self.head, lambda head: head)

    async def with_seal(
        self, look: Callable[[], Awaitable[View]], head_of: Callable[[View], log.LogHead]
    ) -> tuple[Seal, View]:
        """The result of a query, and the seal of the log in the same snapshot.

        If the log was replaced and the tailer has not noticed yet, the read is repeated once it has: a position in one
        log must not be sealed for another.
        """
        while True:
            seal, begun_anew = self.seal, self._begun_anew
            view = await look()
            if self._closing or (seal is self.seal and seal.epoch == head_of(view).epoch):
                return seal, view
            self._hint.signal()
            await _wait(begun_anew, self._poll_seconds)

    def gap(self, mark: Mark, head: log.LogHead, viewer: Caller) -> Gap | None:
        """Why a watch can't resume from a cursor, or None. A cursor ahead of this worker only is valid."""
        if mark.epoch != head.epoch:
            return Gap.EPOCH_CHANGED
        if mark.is_operators != viewer.is_operator:
            return Gap.ACCESS_CHANGED
        if mark.seq > head.seq:
            return Gap.AHEAD_OF_LOG
        if mark.seq < head.floor:
            return Gap.EXPIRED
        return Gap.SNAPSHOT_INCOMPLETE if mark.in_snapshot else None

    async def follow(
        self, viewer: Caller, concerns: Callable[[Change], bool], position: int, silence: float, seal: Seal
    ) -> AsyncGenerator[Item, None]:
        """The changes behind `position` that concern the watcher, in commit order, each once.

        `seal` is that of the log that the position belongs to. After `silence` seconds without a change, an item has
        the position that was reached. A gap is the last item.
        """
        due = _now() + silence
        with self.figures.watch(position) as registered:
            while not self._closing:
                bell, top = self._ring.bell(viewer), self._ring.top
                gap, changes, reached = await self._next(viewer, position, top, seal)
                if gap is not None:
                    yield Item(position, gap=gap)
                    return
                for change in changes:
                    if concerns(change):
                        yield Item(change.seq, change)
                        due = _now() + silence
                registered.position = position = max(position, reached)
                if _now() >= due:
                    yield Item(position)
                    due = _now() + silence
                elif reached >= top:
                    await _wait(bell, due - _now())

    async def _next(self, viewer: Caller, position: int, top: int, seal: Seal) -> tuple[Gap | None, list[Change], int]:
        """Some of the changes behind the position, and how far they reach; from the ring where it goes back so far."""
        if seal is not self.seal:
            return Gap.EPOCH_CHANGED, [], position
        if position >= top:
            return None, [], position
        changes = self._ring.behind(position, PAGE)
        if changes is not None:
            return None, changes, changes[-1].seq
        head, changes = await self._read_dropped(viewer, position)
        if head.epoch != self.seal.epoch:
            return Gap.EPOCH_CHANGED, [], position
        if head.floor > position:
            return Gap.EXPIRED, [], position
        reached = changes[-1].seq if len(changes) == PAGE else head.seq
        return None, changes, reached

    async def _read_dropped(self, viewer: Caller, position: int) -> tuple[log.LogHead, list[Change]]:
        """Read what the ring has dropped. Raises Unavailable if the store does not respond in time."""
        try:
            reading = read_once(self._store, log.read_concerning, viewer, position, PAGE)
            return await in_time(reading, FOLLOWING_SECONDS)
        except TimeoutError as error:
            self.figures.late += 1
            self._failed_watches.log(error)
            raise Unavailable(AWAY) from error

    async def _tail(self) -> None:
        while not self._closing:
            if not await self._read_new():
                was_hinted = await self._hint.wait(self._poll_seconds)
                self.figures.looks["hint" if was_hinted else "poll"] += 1

    async def _read_new(self) -> bool:
        """Whether there may be more to read at once."""
        try:
            # From the newest known event on, to see that it is still the same.
            head, changes = await read_following(self._store, log.read_after, self._ring.top - 1, PAGE + 1)
        except Exception as error:  # noqa: BLE001  # a tailer that died would stop every watch, so it tries again
            self.figures.late += isinstance(error, TimeoutError)
            self._failed_reads.log(error)
            return False
        self._last_read = _now()
        self.figures.head, self.figures.floor = head.seq, head.floor
        if self._is_another(head, changes):
            logger.error(
                "log replaced, watches are reset",
                expected=(self.seal.epoch, self._ring.top),
                found=(head.epoch, head.seq),
            )
            self._begin_at(head)
            return False
        new = [change for change in changes if change.seq > self._ring.top]
        first = new[0].seq if new else head.seq + 1
        if first != self._ring.top + 1:
            # Retention may have passed a worker that slept; otherwise a number is missing, which can't be.
            logger.error("hole in the log", expected=self._ring.top + 1, found=first, floor=head.floor)
            self.figures.holes += first - 1 > head.floor
            self._ring.restart(first - 1)
        self._ring.append(new)
        self.figures.read = self._ring.top
        return bool(new)

    def _is_another(self, head: log.LogHead, changes: Sequence[Change]) -> bool:
        """Whether this is not the log that was read so far: a backup, or a standby that lacked the end of it."""
        newest = self._ring.newest
        replaced = newest is not None and bool(changes) and changes[0].seq == newest.seq and changes[0] != newest
        return replaced or head.epoch != self.seal.epoch or head.seq < self._ring.top

    def _begin_at(self, head: log.LogHead) -> None:
        # A new seal ends the watches that follow with the old one, even if the new log has the same epoch.
        self._seal = Seal(head)
        self._ring.restart(head.seq)
        self.figures.head = self.figures.read = head.seq
        self.figures.floor = head.floor
        self._begun_anew.set()
        self._begun_anew = asyncio.Event()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _wait(bell: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bell.wait()
