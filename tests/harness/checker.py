"""The checker of the watch: what one client heard, held against the log.

It knows the log from reading it whole, before anything is dropped from it, and decides by itself who may hear what.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.events.cursor import _PLAIN as PLAIN
from app.events.cursor import Mark, Seal
from app.model import Change
from tests.harness.subjects import OFFERS, State, Subject, Viewer


@dataclass
class FullLog:
    """Everything that ever happened, without a hole, and how far the log still reaches back."""

    changes: list[Change] = field(default_factory=list[Change])
    floor: int = 0
    epoch: str = ""

    @property
    def head(self) -> int:
        return self.changes[-1].seq if self.changes else 0

    def between(self, after: int, until: int) -> Iterator[Change]:
        """The changes from the one behind `after` to the one at `until`; numbers have no holes."""
        first = self.changes[0].seq if self.changes else 0
        for place in range(max(0, after + 1 - first), min(len(self.changes), until + 1 - first)):
            yield self.changes[place]


@dataclass
class CheckedWatch:
    """One watch over all its sockets and workers, as its client sees it."""

    log: FullLog
    viewer: Viewer
    seq: int
    epoch: str
    cursor: str = ""
    subject: Subject = OFFERS
    received: int = 0
    resets: int = 0
    states: dict[str, State] | None = None

    def check(self, item: dict[str, Any], mark: Mark) -> None:
        """Complete, in order, once; a bookmark that holds; a reset that has a reason; a snapshot that is true."""
        kind = item["__typename"]
        if kind == self.subject.change:
            self._check_change(item, mark)
        elif kind == "WatchBookmark":
            self._check_nothing_missed(mark.seq)
        elif kind == "WatchReset":
            self._check_reset(mark)
        elif kind == "WatchSynced":
            self._check_snapshot(mark)
        else:
            assert self.states is not None, "a state comes inside a snapshot"
            key, state = self.subject.state(item)
            self.states[key] = state
        self.cursor = item["cursor"]

    def _check_change(self, item: dict[str, Any], mark: Mark) -> None:
        assert mark.seq > self.seq, f"cursors rise, and {mark.seq} came after {self.seq}"
        due = next(self._due(self.log.head), None)
        assert due is not None, "nothing of the log was due"
        assert due.seq == mark.seq, f"{due.seq} was left out before {mark.seq}"
        assert self.subject.from_item(item) == self.subject.from_log(self.viewer, due.entry)
        self.seq = mark.seq
        self.received += 1

    def _check_nothing_missed(self, until: int) -> None:
        assert until >= self.seq, f"cursors never fall, and {until} came after {self.seq}"
        missing = [change.seq for change in self._due(until)]
        assert missing == [], f"{missing} were left out before {until}"
        self.seq = until

    def _due(self, until: int) -> Iterator[Change]:
        between = self.log.between(self.seq, until)
        return (change for change in between if self.subject.concerns(self.viewer, change.entry))

    def _check_reset(self, mark: Mark) -> None:
        in_snapshot = self.states is not None
        assert in_snapshot or self.log.floor > self.seq or self.log.epoch != self.epoch, "a reset without a gap"
        self.states, self.resets, self.epoch = {}, self.resets + 1, mark.epoch

    def _check_snapshot(self, mark: Mark) -> None:
        entries = (change.entry for change in self.log.between(0, mark.seq))
        assert self.states == self.subject.snapshot(self.viewer, entries), "the snapshot is not what the log comes to"
        self.seq, self.states = mark.seq, None


def mark_in(seal: Seal, cursor: str) -> Mark:
    """What a cursor says, whoever it was given to."""
    _, flags, epoch, seq, *_ = PLAIN.unpack(seal._decrypt(cursor))
    return Mark(seq, epoch.hex(), bool(flags & 1), bool(flags & 2))
