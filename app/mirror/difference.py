"""From what was mirrored and what is upstream now to the rows and events that are to be written. Pure.

Glance does not say who has made a change. The log names the tenant whose right it is: the owner for an offer, its end
and the image, the consumer for an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from app.model import Caller, ChangeKind, LogEntry, SeenImage, SeenMember
from app.sharing import log_entries
from app.upstream.views import MemberView, View


@dataclass
class Difference:
    """The rows to write, and the events. `image` is None when it has not changed."""

    image: SeenImage | None = None
    is_new: bool = False
    is_gone: bool = False
    added: list[SeenMember] = field(default_factory=list[SeenMember])
    changed: list[SeenMember] = field(default_factory=list[SeenMember])
    removed: list[SeenMember] = field(default_factory=list[SeenMember])
    entries: list[LogEntry] = field(default_factory=list[LogEntry])

    @property
    def is_change(self) -> bool:
        return bool(self.image or self.is_gone or self.added or self.changed or self.removed)


def difference(was: SeenImage | None, rows: Mapping[str, SeenMember], view: View | None, now: datetime) -> Difference:
    """The writes that bring the mirror in line with the view. `rows` are the members by their tenants."""
    if view is None:
        return Difference() if was is None else _gone(was, rows, now)
    found, image = Difference(), view.image
    _compare_images(found, was, image, rows, now)
    if view.members is not None:
        _compare_members(found, image, rows, view.members, now)
    return found


def _gone(was: SeenImage, rows: Mapping[str, SeenMember], now: datetime) -> Difference:
    owner, removed = _as_tenant(was.owner_id, now), list(rows.values())
    ends = [(row, row.status, None) for row in removed]
    entries = log_entries.of_members(ChangeKind.IMAGE_DELETED, owner, was, ends) + log_entries.of_deletion(owner, was)
    return Difference(is_gone=True, removed=removed, entries=entries)


def _compare_images(
    found: Difference, was: SeenImage | None, image: SeenImage, rows: Mapping[str, SeenMember], now: datetime
) -> None:
    if was == image:
        return
    found.image, found.is_new, owner = image, was is None, _as_tenant(image.owner_id, now)
    if was is None:
        found.entries += log_entries.of_registration(owner, image)
    elif (was.status, was.visibility) != (image.status, image.visibility):
        found.entries += log_entries.of_update(owner, was, image, list(rows))


def _compare_members(
    found: Difference,
    image: SeenImage,
    rows: Mapping[str, SeenMember],
    members: Mapping[str, MemberView],
    now: datetime,
) -> None:
    owner = _as_tenant(image.owner_id, now)
    for row in rows.values():
        if row.tenant_id not in members:
            found.removed.append(row)
            found.entries += log_entries.of_members(ChangeKind.REVOKED, owner, image, [(row, row.status, None)])
    for member in members.values():
        if (row := rows.get(member.tenant_id)) is None:
            row = SeenMember(id=str(uuid4()), image_id=image.id, **member._asdict())
            found.added.append(row)
            found.entries += log_entries.of_found_member(owner, _as_tenant(row.tenant_id, now), image, row)
        elif (after := row.replace(**member._asdict())) != row:
            found.changed.append(after)
            if after.status is not row.status:
                actor, step = _as_tenant(row.tenant_id, now), (after, row.status, after.status)
                found.entries += log_entries.of_members(ChangeKind.ANSWERED, actor, image, [step])


def _as_tenant(tenant_id: str | None, now: datetime) -> Caller:
    return Caller(tenant_id or "", frozenset(), now)
