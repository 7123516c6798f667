"""An independent model of both watches: which changes a viewer receives, and the state at a position of the log."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.model import ChangeKind, ImageVisibility, LogEntry

State = tuple[Any, ...]


class Viewer(NamedTuple):
    """The caller of a watch, and its filter."""

    tenant_id: str
    is_operator: bool
    filter: dict[str, Any]

    def is_party(self, entry: LogEntry) -> bool:
        """Whether the viewer is a party to a membership, in the role of its filter."""
        role = self.filter.get("role")
        sides = {"PRODUCER": entry.owner_id == self.tenant_id, "CONSUMER": entry.tenant_id == self.tenant_id}
        if role is not None:
            return sides[role]
        return self.is_operator or any(sides.values())


@dataclass(frozen=True)
class WatchModel:
    """The model of one watch. `from_item` and `from_log` read the same change from an item and from the log."""

    field: str
    change: str
    concerns: Callable[[Viewer, LogEntry], bool]
    from_item: Callable[[dict[str, Any]], State]
    from_log: Callable[[Viewer, LogEntry], State]
    state: Callable[[dict[str, Any]], tuple[str, State]]
    snapshot: Callable[[Viewer, Iterable[LogEntry]], dict[str, State]]


def _offer_concerns(viewer: Viewer, entry: LogEntry) -> bool:
    statuses = viewer.filter.get("status")
    steps = {entry.previous_status, entry.status}
    return entry.kind is not None and viewer.is_party(entry) and (statuses is None or bool(steps & set(statuses)))


def _offer_snapshot(viewer: Viewer, entries: Iterable[LogEntry]) -> dict[str, State]:
    rows: dict[str, LogEntry] = {}
    visibility: dict[str, ImageVisibility | None] = {}
    for entry in entries:
        if entry.kind is None and entry.tenant_id == entry.owner_id:
            visibility[entry.image_id] = entry.visibility
        if entry.member_id is None or not viewer.is_party(entry):
            continue
        if entry.status is None:
            rows.pop(entry.member_id, None)
        else:
            rows[entry.member_id] = entry
    statuses = viewer.filter.get("status")
    return {
        id_: (row.status,)
        for id_, row in rows.items()
        if (statuses is None or row.status in statuses) and _is_listed(viewer, row, visibility)
    }


def _is_listed(viewer: Viewer, row: LogEntry, visibility: dict[str, ImageVisibility | None]) -> bool:
    """While an image is not SHARED its members are inert, and only its owner and operators see them."""
    sees_all = viewer.is_operator or row.owner_id == viewer.tenant_id
    return sees_all or visibility.get(row.image_id, ImageVisibility.SHARED) is ImageVisibility.SHARED


OFFERS = WatchModel(
    field="watchOffers",
    change="MemberStatusChanged",
    concerns=_offer_concerns,
    from_item=lambda item: (
        item["kind"],
        item["previousStatus"],
        item["status"],
        item["memberId"],
        item["tenant"]["id"],
    ),
    from_log=lambda _, entry: (entry.kind, entry.previous_status, entry.status, entry.member_id, entry.tenant_id),
    state=lambda item: (item["memberId"], (item["status"],)),
    snapshot=_offer_snapshot,
)

_ACCESS_KINDS = {
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
    return entry.kind is None or (entry.kind in _ACCESS_KINDS and entry.visibility is ImageVisibility.SHARED)


def _image_from_log(_: Viewer, entry: LogEntry) -> State:
    if entry.kind is None:
        return entry.image_kind, entry.image_id, entry.image_status, entry.visibility
    is_there = entry.kind is ChangeKind.OFFERED
    return (
        _ACCESS_KINDS[entry.kind],
        entry.image_id,
        entry.image_status if is_there else None,
        "SHARED" if is_there else None,
    )


def _image_snapshot(viewer: Viewer, entries: Iterable[LogEntry]) -> dict[str, State]:
    rows: dict[str, State] = {}
    for entry in entries:
        if not _image_concerns(viewer, entry):
            continue
        _, image_id, status, visibility = _image_from_log(viewer, entry)
        if status is None:
            rows.pop(image_id, None)
        else:
            rows[image_id] = status, visibility
    return rows


IMAGES = WatchModel(
    field="watchImages",
    change="ImageChanged",
    concerns=_image_concerns,
    from_item=lambda item: (item["kind"], item["imageId"], item["state"], item["sight"]),
    from_log=_image_from_log,
    state=lambda item: (item["imageId"], (item["state"], item["sight"])),
    snapshot=_image_snapshot,
)
