"""What can be watched, told a second time and independently: who hears what, and what is true at a place of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.model import ChangeKind, ImageVisibility, LogEntry

State = tuple[Any, ...]


class Viewer(NamedTuple):
    """Who watches, and with which filter."""

    tenant_id: str
    is_operator: bool
    filter: dict[str, Any]

    def sides(self, entry: LogEntry) -> bool:
        """Whether the viewer is a party to a membership, on the side that it asked for."""
        role = self.filter.get("role")
        sides = {"PRODUCER": entry.owner_id == self.tenant_id, "CONSUMER": entry.tenant_id == self.tenant_id}
        if role is not None:
            return sides[role]
        return self.is_operator or any(sides.values())


@dataclass(frozen=True)
class Subject:
    """One of the watches. `told` is a change as its item tells it, `from_log` the same from the log."""

    field: str
    change: str
    concerns: Callable[[Viewer, LogEntry], bool]
    told: Callable[[dict[str, Any]], State]
    from_log: Callable[[Viewer, LogEntry], State]
    state: Callable[[dict[str, Any]], tuple[str, State]]
    table: Callable[[Viewer, Iterable[LogEntry]], dict[str, State]]


def _offer_concerns(viewer: Viewer, entry: LogEntry) -> bool:
    wanted = viewer.filter.get("status")
    steps = {entry.previous_status, entry.status}
    return entry.kind is not None and viewer.sides(entry) and (wanted is None or bool(steps & set(wanted)))


def _offer_table(viewer: Viewer, story: Iterable[LogEntry]) -> dict[str, State]:
    rows: dict[str, LogEntry] = {}
    sight: dict[str, ImageVisibility | None] = {}
    for entry in story:
        if entry.kind is None and entry.tenant_id == entry.owner_id:
            sight[entry.image_id] = entry.visibility
        if entry.member_id is None or not viewer.sides(entry):
            continue
        if entry.status is None:
            rows.pop(entry.member_id, None)
        else:
            rows[entry.member_id] = entry
    wanted = viewer.filter.get("status")
    return {
        id_: (row.status,)
        for id_, row in rows.items()
        if (wanted is None or row.status in wanted) and _is_listed(viewer, row, sight)
    }


def _is_listed(viewer: Viewer, row: LogEntry, sight: dict[str, ImageVisibility | None]) -> bool:
    """While an image is not SHARED its memberships are inert, and only its owner and operators see them."""
    sees_all = viewer.is_operator or row.owner_id == viewer.tenant_id
    return sees_all or sight.get(row.image_id, ImageVisibility.SHARED) is ImageVisibility.SHARED


OFFERS = Subject(
    field="watchOffers",
    change="MemberStatusChanged",
    concerns=_offer_concerns,
    told=lambda item: (item["kind"], item["previousStatus"], item["status"], item["memberId"], item["tenant"]["id"]),
    from_log=lambda _, entry: (entry.kind, entry.previous_status, entry.status, entry.member_id, entry.tenant_id),
    state=lambda item: (item["memberId"], (item["status"],)),
    table=_offer_table,
)

_SIGHT = {
    ChangeKind.OFFERED: "ACCESS_GAINED",
    ChangeKind.REVOKED: "ACCESS_LOST",
    ChangeKind.IMAGE_DELETED: "DELETED",
}


def _image_concerns(viewer: Viewer, entry: LogEntry) -> bool:
    role = viewer.filter.get("role")
    if entry.tenant_id == entry.owner_id:
        return (entry.owner_id == viewer.tenant_id and role != "CONSUMER") or (viewer.is_operator and role is None)
    if entry.tenant_id != viewer.tenant_id or role == "PRODUCER" or (viewer.is_operator and role is None):
        return False
    return entry.kind is None or (entry.kind in _SIGHT and entry.visibility is ImageVisibility.SHARED)


def _image_state(_: Viewer, entry: LogEntry) -> State:
    if entry.kind is None:
        return entry.image_kind, entry.image_id, entry.image_status, entry.visibility
    is_there = entry.kind is ChangeKind.OFFERED
    return _SIGHT[entry.kind], entry.image_id, entry.image_status if is_there else None, "SHARED" if is_there else None


def _image_table(viewer: Viewer, story: Iterable[LogEntry]) -> dict[str, State]:
    table: dict[str, State] = {}
    for entry in story:
        if not _image_concerns(viewer, entry):
            continue
        _, image_id, status, visibility = _image_state(viewer, entry)
        if status is None:
            table.pop(image_id, None)
        else:
            table[image_id] = status, visibility
    return table


IMAGES = Subject(
    field="watchImages",
    change="ImageChanged",
    concerns=_image_concerns,
    told=lambda item: (item["kind"], item["imageId"], item["state"], item["sight"]),
    from_log=_image_state,
    state=lambda item: (item["imageId"], (item["state"], item["sight"])),
    table=_image_table,
)
