"""Checks the items that one client of a watch received against the log.

It has the whole log, including what retention has dropped, and decides by itself which items a viewer may receive.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.events.cursor import _PLAIN as PLAIN
from app.events.cursor import Mark, Seal
from app.model import Change
from tests.harness.watch_model import OFFERS, State, Viewer, WatchModel


@dataclass
class FullLog:
    """Every change ever logged, without gaps, and the floor up to which retention has dropped them."""

    changes: list[Change] = field(default_factory=list[Change])
    floor: int = 0
    epoch: str = ""

    @property
    def head(self) -> int:
        return self.changes[-1].seq if self.changes else 0

    def between(self, after: int, until: int) -> Iterator[Change]:
        """The changes after `after`, up to and including `until`. Sequence numbers have no gaps."""
        first = self.changes[0].seq if self.changes else 0
        for place in range(max(0, after + 1 - first), min(len(self.changes), until + 1 - first)):
            yield self.changes[place]


@dataclass
class CheckedWatch:
    """The state of one watch as its client sees it, across reconnects and workers."""

    log: FullLog
    viewer: Viewer
    seq: int
    epoch: str
    cursor: str = ""
    model: WatchModel = OFFERS
    received: int = 0
    resets: int = 0
    states: dict[str, State] | None = None

    def check(self, item: dict[str, Any], mark: Mark) -> None:
        """Check one item: changes are complete, in order and unique; bookmarks, resets and snapshots are correct."""
        kind = item["__typename"]
        if kind == self.model.change:
            self._check_change(item, mark)
        elif kind == "WatchBookmark":
            self._check_nothing_missed(mark.seq)
        elif kind == "WatchReset":
            self._check_reset(mark)
        elif kind == "WatchSynced":
            self._check_snapshot(mark)
        else:
            assert self.states is not None, "a state outside a snapshot"
            key, state = self.model.state(item)
            self.states[key] = state
        self.cursor = item["cursor"]

    def _check_change(self, item: dict[str, Any], mark: Mark) -> None:
        assert mark.seq > self.seq, f"cursors must rise, but {mark.seq} follows {self.seq}"
        due = next(self._due(self.log.head), None)
        assert due is not None, "no change in the log was due"
        assert due.seq == mark.seq, f"{due.seq} is missing before {mark.seq}"
        assert self.model.from_item(item) == self.model.from_log(self.viewer, due.entry)
        self.seq = mark.seq
        self.received += 1

    def _check_nothing_missed(self, until: int) -> None:
        assert until >= self.seq, f"cursors must not fall, but {until} follows {self.seq}"
        missing = [change.seq for change in self._due(until)]
        assert missing == [], f"{missing} are missing before {until}"
        self.seq = until

    def _due(self, until: int) -> Iterator[Change]:
        between = self.log.between(self.seq, until)
        return (change for change in between if self.model.concerns(self.viewer, change.entry))

    def _check_reset(self, mark: Mark) -> None:
        in_snapshot = self.states is not None
        assert in_snapshot or self.log.floor > self.seq or self.log.epoch != self.epoch, "a reset without a gap"
        self.states, self.resets, self.epoch = {}, self.resets + 1, mark.epoch

    def _check_snapshot(self, mark: Mark) -> None:
        entries = (change.entry for change in self.log.between(0, mark.seq))
        assert self.states == self.model.snapshot(self.viewer, entries), (
            "the snapshot differs from the state that the log leads to"
        )
        self.seq, self.states = mark.seq, None


def mark_in(seal: Seal, cursor: str) -> Mark:
    """The position in a cursor, whichever viewer it was issued to."""
    _, flags, epoch, seq, *_ = PLAIN.unpack(seal._decrypt(cursor))
    return Mark(seq, epoch.hex(), bool(flags & 1), bool(flags & 2))
