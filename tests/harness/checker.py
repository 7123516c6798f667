"""The checker of the watch: what one client heard, held against the log.

It knows the log from reading it whole, before anything is dropped from it, and decides by itself who may hear what.
"""

from dataclasses import dataclass, field
from typing import Any

from app.events.cursor import Mark
from app.model import Change, News


@dataclass
class Truth:
    """Everything that ever happened, and how far the log still reaches back."""

    changes: list[Change] = field(default_factory=list[Change])
    floor: int = 0
    epoch: str = ""

    @property
    def head(self) -> int:
        return self.changes[-1].seq if self.changes else 0

    def between(self, after: int, until: int) -> list[Change]:
        return [change for change in self.changes if after < change.seq <= until]


@dataclass
class Logical:
    """One watch over all its sockets and workers, as its client sees it."""

    truth: Truth
    tenant_id: str
    is_operator: bool
    filter: dict[str, Any]
    seq: int
    epoch: str
    cursor: str
    heard: int = 0
    resets: int = 0
    states: dict[str, str] | None = None

    def check(self, item: dict[str, Any], mark: Mark) -> None:
        """Complete, in order, once; a bookmark that holds; a reset that has a reason; a snapshot that is true."""
        kind = item["__typename"]
        if kind == "MemberStatusChanged":
            self._change(item, mark)
        elif kind == "WatchBookmark":
            self._nothing_was_left_out(mark.seq)
        elif kind == "WatchReset":
            self._reset(mark)
        elif kind == "MemberState":
            assert self.states is not None, "a state comes inside a snapshot"
            self.states[item["memberId"]] = item["status"]
        else:
            self._synced(mark)
        self.cursor = item["cursor"]

    def _change(self, item: dict[str, Any], mark: Mark) -> None:
        assert mark.seq > self.seq, "cursors rise"
        due = [change for change in self.truth.between(self.seq, self.truth.head) if self._concerns(change.news)]
        assert due, "nothing of the log was due"
        assert due[0].seq == mark.seq, f"{due[0].seq} was left out before {mark.seq}"
        news = due[0].news
        told = (item["kind"], item["previousStatus"], item["status"], item["memberId"], item["tenant"]["id"])
        assert told == (news.kind, news.previous_status, news.status, news.member_id, news.tenant_id)
        self.seq = mark.seq
        self.heard += 1

    def _nothing_was_left_out(self, until: int) -> None:
        assert until >= self.seq, "cursors never fall"
        missing = [change.seq for change in self.truth.between(self.seq, until) if self._concerns(change.news)]
        assert missing == [], f"{missing} were left out before {until}"
        self.seq = until

    def _reset(self, mark: Mark) -> None:
        in_snapshot = self.states is not None
        assert in_snapshot or self.truth.floor > self.seq or self.truth.epoch != self.epoch, "a reset without a gap"
        self.states, self.resets, self.epoch = {}, self.resets + 1, mark.epoch

    def _synced(self, mark: Mark) -> None:
        table: dict[str, str] = {}
        for change in self.truth.between(0, mark.seq):
            news = change.news
            if news.member_id is None or not self._is_party(news):
                continue
            if news.status is None:
                table.pop(news.member_id, None)
            else:
                table[news.member_id] = news.status
        wanted = self.filter.get("status")
        assert self.states == {id_: status for id_, status in table.items() if wanted is None or status in wanted}
        self.seq, self.states = mark.seq, None

    def _concerns(self, news: News) -> bool:
        wanted = self.filter.get("status")
        steps = {news.previous_status, news.status}
        return news.kind is not None and self._is_party(news) and (wanted is None or bool(steps & set(wanted)))

    def _is_party(self, news: News) -> bool:
        role = self.filter.get("role")
        sides = {"PRODUCER": news.owner_id == self.tenant_id, "CONSUMER": news.tenant_id == self.tenant_id}
        if role is not None:
            return sides[role]
        return self.is_operator or any(sides.values())
