"""Runs a watch from a cursor or a snapshot, follows the log, and reports every gap."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import strawberry

from app import caches
from app.api.operation.context import Context
from app.api.types.scalars import Cursor
from app.api.watch.items import WatchBookmark, WatchItem, WatchReset, WatchSynced
from app.api.watch.payload import in_time
from app.errors import BadUserInput, CursorExpired
from app.events.cursor import Gap, Seal
from app.lifetime import Lifetime
from app.model import Change
from app.store import log
from app.store.log import LogHead
from app.store.snapshot import Snapshot, ViewerQuery

SNAPSHOT_LIMIT = 10_000
MAX_ITEMS = 4_096
Present = tuple[Seal, tuple[LogHead, Sequence[Any]]]


@strawberry.enum(description="How a watch without a cursor starts.")
class WatchInitial(Enum):
    CHANGES = strawberry.enum_value("CHANGES", description="With changes from now on.")
    SNAPSHOT = strawberry.enum_value(
        "SNAPSHOT", description="With the current state, item by item, followed by the changes after it."
    )


@strawberry.enum(description="What to do when a watch can't continue from its cursor.")
class GapPolicy(Enum):
    RESET = strawberry.enum_value("RESET", description="Deliver `WatchReset`, then the current state, then changes.")
    FAIL = strawberry.enum_value(
        "FAIL", description="End the watch with CURSOR_EXPIRED; `extensions.oldestCursor` is the oldest usable cursor."
    )


@dataclass(frozen=True)
class Watch:
    """A subject of watches: its filter, the query for its snapshot, and the conversion of both to items."""

    fingerprint: bytes
    concerns: Callable[[Change], bool]
    show: Callable[[Cursor, Change], WatchItem]
    states: ViewerQuery[[int], Sequence[Any]]
    show_state: Callable[[Cursor, Any], WatchItem]


@dataclass(frozen=True)
class WatchOptions:
    """The options of a subscription."""

    after: Cursor | None
    initial: WatchInitial
    on_gap: GapPolicy
    bookmarks: bool


class WatchRun:
    """One run of a watch, for one viewer."""

    def __init__(self, context: Context, watch: Watch, options: WatchOptions) -> None:
        self._context = context
        self._services = context.services
        self._feed = context.services.feed
        self._viewer = context.caller
        self._watch = watch
        after = options.after if context.last_event_id is None else Cursor(context.last_event_id)
        self._options = replace(options, after=after)
        self._position = 0
        self._seal = self._feed.seal

    async def start(self) -> AsyncGenerator[WatchItem, None]:
        """Check the cursor, and return the items."""
        gap = None
        if self._options.after is not None:
            self._seal, head = await self._feed.present()
            mark = self._seal.open(self._options.after, self._viewer, self._watch.fingerprint)
            gap = self._feed.gap(mark, head, self._viewer)
            self._position = mark.seq
            self._require_reset_allowed(gap, self._seal, head)
        elif self._options.initial is WatchInitial.CHANGES:
            self._seal, head = await self._feed.present()
            self._position = head.seq
        return self._items(gap)

    async def _items(self, gap: Gap | None) -> AsyncGenerator[WatchItem, None]:
        is_new = self._options.after is None
        if is_new and self._options.initial is WatchInitial.CHANGES:
            yield self._bookmark()
        elif is_new:
            async for item in self._snapshot(None):
                yield item
        while True:
            if gap is not None:
                async for item in self._snapshot(gap):
                    yield item
            gap = None
            async for item in self._changes():
                if isinstance(item, Gap):
                    gap = item
                else:
                    yield item
            if gap is None:
                return
            self._require_reset_allowed(gap, *await in_time(self._lifetime(), self._feed.present()))

    async def _changes(self) -> AsyncGenerator[WatchItem | Gap, None]:
        """The changes after the position. A gap is the last element."""
        silence = self._services.settings.bookmark_seconds
        async for item in self._feed.follow(self._viewer, self._watch.concerns, self._position, silence, self._seal):
            self._position = item.position
            if item.gap is not None:
                yield item.gap
            elif item.change is not None:
                yield self._item(item.change)
            elif self._options.bookmarks:
                yield self._bookmark()
            # Release the view of the store, so that the nested fields of the next item are read afresh.
            await self._context.renew()

    def _item(self, change: Change) -> WatchItem:
        """The change as an item, built once for all watches of this viewer with this filter."""
        items, seal, viewer, fingerprint = self._services.items, self._seal, self._viewer, self._watch.fingerprint
        key = seal, change.seq, viewer.tenant_id, viewer.is_operator, fingerprint
        item = items.get(key)
        if item is None:
            item = self._watch.show(Cursor(seal.close(change.seq, viewer, fingerprint)), change)
            caches.put(items, key, item, MAX_ITEMS)
        return item

    async def _snapshot(self, gap: Gap | None) -> AsyncGenerator[WatchItem, None]:
        """The items of the current state. Reading and holding it are limited for each tenant."""
        loop_shares, tenant_id = self._services.loop_shares, self._viewer.tenant_id
        async with loop_shares.snapshot(tenant_id):
            present = await loop_shares.run(tenant_id, lambda: in_time(self._lifetime(), self._read_present()), _size)
            async for item in self._snapshot_items(gap, present):
                yield item

    async def _snapshot_items(self, gap: Gap | None, present: Present) -> AsyncGenerator[WatchItem, None]:
        self._seal, (head, states) = present
        self._position = head.seq
        if gap is not None:
            self._feed.figures.resets[gap] += 1
            yield WatchReset(cursor=self._cursor(in_snapshot=True), reason=gap)
        for state in states:
            yield self._watch.show_state(self._cursor(in_snapshot=True), state)
            await self._context.renew()
        yield WatchSynced(cursor=self._cursor())

    async def _read_present(self) -> Present:
        """The current state and the head of the log, read in one view of the store, with the seal of that log."""
        return await self._feed.with_seal(self._read_states, lambda view: view[0])

    def _lifetime(self) -> Lifetime:
        return Lifetime("item of the watch", self._services.settings.watch_item_seconds)

    async def _read_states(self) -> tuple[LogHead, Sequence[Any]]:
        snapshot = Snapshot(self._services.store)
        try:
            head = await snapshot.read(log.head)
            states = await snapshot.read(self._watch.states, self._viewer, SNAPSHOT_LIMIT + 1)
        finally:
            await snapshot.renew()
        if len(states) > SNAPSHOT_LIMIT:
            raise BadUserInput(
                f"The snapshot has more than {SNAPSHOT_LIMIT} items. Narrow the filter, or page through the list and "
                "start the watch at its `watchCursor`."
            )
        return head, states

    def _require_reset_allowed(self, gap: Gap | None, seal: Seal, head: LogHead) -> None:
        if gap in (None, Gap.SNAPSHOT_INCOMPLETE) or self._options.on_gap is GapPolicy.RESET:
            return
        oldest = seal.close_between(head.floor, self._viewer, self._watch.fingerprint)
        raise CursorExpired(f"The watch can't go on from this cursor: {gap}. {_ADVICE}", oldestCursor=oldest)

    def _bookmark(self) -> WatchBookmark:
        return WatchBookmark(cursor=self._cursor(), at=datetime.now(UTC))

    def _cursor(self, in_snapshot: bool = False) -> Cursor:
        print_ = self._watch.fingerprint
        return Cursor(self._seal.close_between(self._position, self._viewer, print_, in_snapshot))


def _size(present: Present) -> int:
    """The approximate bytes of a snapshot."""
    _, (_, states) = present
    return _STATE_BYTES * len(states)


_STATE_BYTES = 100
_ADVICE = "Read the lists again and start at their `watchCursor`, or let the watch reset itself with `onGap: RESET`."
