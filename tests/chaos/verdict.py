"""What was done and what was heard, held against the log: subscriptions.md calls these the ten properties."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from app.events.cursor import Seal
from app.model import Change, LogEntry
from tests.chaos.archive import Archive
from tests.chaos.watchers import Heard, Watcher
from tests.chaos.writers import ACKNOWLEDGED, LOST, Attempt
from tests.harness.checker import CheckedWatch, FullLog, mark_in


def on_the_log(changes: Sequence[Change], members: dict[str, Any], attempts: dict[str, list[Attempt]]) -> list[str]:
    """Complete, without holes, and no more in it than was done (property 1)."""
    found: list[str] = []
    if [change.seq for change in changes] != list(range(1, len(changes) + 1)):
        found.append("the numbers of the log have holes")
    if _folded(change.entry for change in changes) != members:
        found.append("the log does not come to the table of memberships")
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for change in changes:
        if (step := _step(change.entry)) is not None:
            rows[change.entry.image_id].append(step)
    for image, tried in attempts.items():
        found += _on_an_image(image, rows[image], tried)
    return found


def _on_an_image(image: str, rows: list[tuple[Any, ...]], tried: list[Attempt]) -> list[str]:
    """Acknowledged steps are there in their order; others only when their answer was lost."""
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


def _folded(story: Iterable[LogEntry]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for entry in story:
        if entry.member_id is None:
            continue
        if entry.status is None:
            table.pop(entry.member_id, None)
        else:
            table[entry.member_id] = entry.status
    return table


def on_a_watch(watcher: Watcher, changes: list[Change], archive: Archive, seal: Seal) -> str | None:
    """Equal to the log, ordered, once, resumable, authorised, with honest gaps (properties 2 to 7)."""
    first = mark_in(seal, watcher.heard[0].item["cursor"])
    truth = FullLog(changes)
    watch = CheckedWatch(truth, watcher.viewer, first.seq, first.epoch, subject=watcher.subject)
    if watcher.initial == "SNAPSHOT":
        watch.states = {}
    for place, heard in enumerate(watcher.heard):
        mark = mark_in(seal, heard.item["cursor"])
        truth.floor, truth.epoch = archive.floor_at(heard.at), mark.epoch
        try:
            watch.check(heard.item, mark)
        except AssertionError as error:
            what = str(error).splitlines()[0] if str(error) else f"not what the log says: {heard.item}"
            return f"item {place}: {what}"
    return None


def on_groups(watchers: Sequence[Watcher]) -> list[str]:
    """Who asks the same hears the same bytes (property 10). What is read "as of now" may differ with the moment."""
    said: dict[tuple[Any, ...], str] = {}
    found: list[str] = []
    for watcher in watchers:
        for heard in watcher.heard:
            if heard.item["__typename"] != watcher.subject.change:
                continue
            key = (*watcher.viewer[:2], watcher.query, str(watcher.viewer.filter), heard.item["cursor"])
            if said.setdefault(key, _as_of_the_event(heard)) != _as_of_the_event(heard):
                found.append(f"{watcher.viewer}: other bytes for the same item: {heard.item}")
    return found


def _as_of_the_event(heard: Heard) -> str:
    return heard._replace(item={**heard.item, "member": None, "image": None}).bytes
