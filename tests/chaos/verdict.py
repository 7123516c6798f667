"""Checks what was written and received against the log: the ten properties of a watch."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from app.events.cursor import Seal
from app.model import Change, LogEntry
from tests.chaos.archive import Archive
from tests.chaos.watchers import ReceivedItem, Watcher
from tests.chaos.writers import ACKNOWLEDGED, LOST, Attempt
from tests.harness.checker import CheckedWatch, FullLog, mark_in


def check_log(changes: Sequence[Change], members: dict[str, Any], attempts: dict[str, list[Attempt]]) -> list[str]:
    """Check that the log is complete, without gaps, and contains nothing else (property 1)."""
    found: list[str] = []
    if [change.seq for change in changes] != list(range(1, len(changes) + 1)):
        found.append("the numbers of the log have holes")
    if _replay(change.entry for change in changes) != members:
        found.append("the log does not come to the table of memberships")
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for change in changes:
        if (step := _step(change.entry)) is not None:
            rows[change.entry.image_id].append(step)
    for image, tried in attempts.items():
        found += _check_image(image, rows[image], tried)
    return found


def _check_image(image: str, rows: list[tuple[Any, ...]], tried: list[Attempt]) -> list[str]:
    """Check that acknowledged steps are logged in order, and others only if their response was lost."""
    left = iter(rows)
    due = [one.step for one in tried if one.outcome == ACKNOWLEDGED and not one.may_be_idle]
    missing = [step for step in due if not any(row == step for row in left)]
    possible = Counter(one.step for one in tried if one.outcome == LOST or one.may_be_idle)
    extra = Counter(rows) - Counter(due) - possible
    return [f"{image}: acknowledged and not in the log: {step}" for step in missing] + [
        f"{image}: in the log and never done: {step}" for step in extra if step[0] != "REGISTERED"
    ]


def _step(entry: LogEntry) -> tuple[Any, ...] | None:
    if entry.kind in ("OFFERED", "ANSWERED", "REVOKED"):
        return entry.kind, entry.tenant_id, entry.status
    if entry.image_kind is not None and entry.tenant_id == entry.owner_id:
        return entry.image_kind, entry.tenant_id, entry.visibility
    return None


def _replay(story: Iterable[LogEntry]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for entry in story:
        if entry.member_id is None:
            continue
        if entry.status is None:
            table.pop(entry.member_id, None)
        else:
            table[entry.member_id] = entry.status
    return table


def check_watch(watcher: Watcher, changes: list[Change], archive: Archive, seal: Seal) -> str | None:
    """Check that a watch matches the log: ordered, unique, resumable, authorised, gaps reported (properties 2 to 7)."""
    first = mark_in(seal, watcher.received[0].item["cursor"])
    truth = FullLog(changes)
    watch = CheckedWatch(truth, watcher.viewer, first.seq, first.epoch, model=watcher.model)
    if watcher.initial == "SNAPSHOT":
        watch.states = {}
    for place, received_item in enumerate(watcher.received):
        mark = mark_in(seal, received_item.item["cursor"])
        truth.floor, truth.epoch = archive.floor_at(received_item.at), mark.epoch
        try:
            watch.check(received_item.item, mark)
        except AssertionError as error:
            what = str(error).splitlines()[0] if str(error) else f"differs from the log: {received_item.item}"
            return f"item {place}: {what}"
    return None


def check_groups(watchers: Sequence[Watcher]) -> list[str]:
    """Check that equal watches receive equal bytes (property 10), except for state read at delivery."""
    said: dict[tuple[Any, ...], str] = {}
    found: list[str] = []
    for watcher in watchers:
        for received_item in watcher.received:
            if received_item.item["__typename"] != watcher.model.change:
                continue
            key = (*watcher.viewer[:2], watcher.query, str(watcher.viewer.filter), received_item.item["cursor"])
            if said.setdefault(key, _without_current_state(received_item)) != _without_current_state(received_item):
                found.append(f"{watcher.viewer}: different bytes for the same item: {received_item.item}")
    return found


def _without_current_state(received_item: ReceivedItem) -> str:
    return received_item._replace(item={**received_item.item, "member": None, "image": None}).bytes
