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

    def sides(self, news: LogEntry) -> bool:
        """Whether the viewer is a party to a membership, on the side that it asked for."""
        role = self.filter.get("role")
        sides = {"PRODUCER": news.owner_id == self.tenant_id, "CONSUMER": news.tenant_id == self.tenant_id}
        if role is not None:
            return sides[role]
        return self.is_operator or any(sides.values())


@dataclass(frozen=True)
class Subject:
    """One of the watches. `told` is a change as its item tells it, `news` the same from the log."""

    field: str
    change: str
    concerns: Callable[[Viewer, LogEntry], bool]
    told: Callable[[dict[str, Any]], State]
    news: Callable[[Viewer, LogEntry], State]
    state: Callable[[dict[str, Any]], tuple[str, State]]
    table: Callable[[Viewer, Iterable[LogEntry]], dict[str, State]]


def _offer_concerns(viewer: Viewer, news: LogEntry) -> bool:
    wanted = viewer.filter.get("status")
    steps = {news.previous_status, news.status}
    return news.kind is not None and viewer.sides(news) and (wanted is None or bool(steps & set(wanted)))


def _offer_table(viewer: Viewer, story: Iterable[LogEntry]) -> dict[str, State]:
    rows: dict[str, LogEntry] = {}
    sight: dict[str, ImageVisibility | None] = {}
    for news in story:
        if news.kind is None and news.tenant_id == news.owner_id:
            sight[news.image_id] = news.visibility
        if news.member_id is None or not viewer.sides(news):
            continue
        if news.status is None:
            rows.pop(news.member_id, None)
        else:
            rows[news.member_id] = news
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
    news=lambda _, news: (news.kind, news.previous_status, news.status, news.member_id, news.tenant_id),
    state=lambda item: (item["memberId"], (item["status"],)),
    table=_offer_table,
)

_SIGHT = {
    ChangeKind.OFFERED: "ACCESS_GAINED",
    ChangeKind.REVOKED: "ACCESS_LOST",
    ChangeKind.IMAGE_DELETED: "DELETED",
}


def _image_concerns(viewer: Viewer, news: LogEntry) -> bool:
    role = viewer.filter.get("role")
    if news.tenant_id == news.owner_id:
        return (news.owner_id == viewer.tenant_id and role != "CONSUMER") or (viewer.is_operator and role is None)
    if news.tenant_id != viewer.tenant_id or role == "PRODUCER" or (viewer.is_operator and role is None):
        return False
    return news.kind is None or (news.kind in _SIGHT and news.visibility is ImageVisibility.SHARED)


def _image_news(_: Viewer, news: LogEntry) -> State:
    if news.kind is None:
        return news.image_kind, news.image_id, news.image_status, news.visibility
    is_there = news.kind is ChangeKind.OFFERED
    return _SIGHT[news.kind], news.image_id, news.image_status if is_there else None, "SHARED" if is_there else None


def _image_table(viewer: Viewer, story: Iterable[LogEntry]) -> dict[str, State]:
    table: dict[str, State] = {}
    for news in story:
        if not _image_concerns(viewer, news):
            continue
        _, image_id, status, visibility = _image_news(viewer, news)
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
    news=_image_news,
    state=lambda item: (item["imageId"], (item["state"], item["sight"])),
    table=_image_table,
)
