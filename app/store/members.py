"""Queries on member rows. Every read takes its viewer."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.model import Caller, MemberStatus, SeenMember
from app.store import named, pages
from app.store.access_paths import Driven, Way
from app.store.engines.prepared import Connection, Prepared, slot
from app.store.pages import Page, PageRequest
from app.store.rights import IMAGE, MEMBER, Rights, any_viewer

_KEY = pages.sort_key(MEMBER)
_COLUMNS = [MEMBER.c[name] for name in SeenMember._fields]
_FILLS_THE_QUOTA = (MemberStatus.PENDING, MemberStatus.ACCEPTED)


class MemberFilter(NamedTuple):
    """Which member rows of a list are wanted; None means any."""

    status: tuple[MemberStatus, ...] | None = None
    image_id: str | None = None
    owner_id: str | None = None
    tenant_id: str | None = None


async def find(conn: Connection, viewer: Caller, ids: Collection[str]) -> dict[str, SeenMember]:
    """The member rows with these IDs that the viewer may see."""
    each = named.each_of(ids)
    beside, *seen = Rights(viewer).sees_named_member(each.c.value)
    rows = Driven(Driven(each, MEMBER, beside), IMAGE, IMAGE.c.id == MEMBER.c.image_id)
    statement = select(*_COLUMNS).select_from(rows).where(*seen)
    return {row.id: _make(row) for row in await conn.execute(statement)}


async def of_viewer(conn: AsyncConnection, viewer: Caller, image_ids: Collection[str]) -> dict[str, SeenMember]:
    """The viewer's own live row on each of these images."""
    statement = _joined().where(Rights(viewer).is_consumer(), MEMBER.c.image_id.in_(image_ids))
    return {row.image_id: _make(row) for row in await conn.execute(statement)}


async def own_row(conn: Connection, viewer: Caller, image_id: str) -> SeenMember | None:
    """The viewer's own live row on an image."""
    rows = await _OWN.rows(conn, image=image_id, viewer=viewer.tenant_id)
    return _make(rows[0]) if rows else None


async def of_tenants(
    conn: Connection, viewer: Caller, image_id: str, tenant_ids: Collection[str]
) -> dict[str, SeenMember]:
    """The rows of these tenants on one image that the viewer may see."""
    tenants = {f"tenant_{index}": tenant_id for index, tenant_id in enumerate(tenant_ids)}
    statement = _of_tenants(viewer.is_operator, len(tenants))
    rows = await statement.rows(conn, image=image_id, viewer=viewer.tenant_id, **tenants)
    return {row.tenant_id: row for row in map(_make, rows)}


async def offers(conn: AsyncConnection, viewer: Caller, wanted: MemberFilter, request: PageRequest) -> Page[SeenMember]:
    """What is offered to the viewer."""
    return await pages.page_of(conn, _offers(viewer, wanted), _KEY, request, _make)


async def count_offers(conn: AsyncConnection, viewer: Caller, wanted: MemberFilter) -> int:
    return await pages.count_of(conn, _offers(viewer, wanted))


async def sent(conn: AsyncConnection, viewer: Caller, wanted: MemberFilter, request: PageRequest) -> Page[SeenMember]:
    """What the viewer's tenant has offered, over all its images, inert rows included."""
    return await pages.page_of(conn, _sent(viewer, wanted), _KEY, request, _make)


async def count_sent(conn: AsyncConnection, viewer: Caller, wanted: MemberFilter) -> int:
    return await pages.count_of(conn, _sent(viewer, wanted))


async def watched(
    conn: AsyncConnection,
    viewer: Caller,
    limit: int,
    *,
    wanted: MemberFilter,
    as_producer: bool,
    as_consumer: bool,
) -> list[tuple[SeenMember, str]]:
    """The rows that the viewer may hear of, as one side or as both, each with the owner of its image."""
    statement: Any = select(*_COLUMNS, IMAGE.c.owner_id).join(IMAGE, IMAGE.c.id == MEMBER.c.image_id)
    seen = _watched(Rights(viewer), wanted.image_id, as_producer, as_consumer)
    found = statement.where(seen, *_wanted(Rights(viewer), wanted)).order_by(*_KEY).limit(limit)
    rows = await conn.execute(found)
    return [(_make(row[:-1]), row[-1]) for row in rows]


async def of_images(
    conn: AsyncConnection,
    viewer: Caller,
    image_ids: Collection[str],
    wanted: MemberFilter,
    request: PageRequest,
) -> dict[str, Page[SeenMember]]:
    """For each image, its rows that the viewer may see."""
    statement = _of_images(viewer, image_ids, wanted)
    return await pages.pages_by_parent(conn, statement, _KEY, MEMBER.c.image_id, request, _make)


async def count_of_images(
    conn: AsyncConnection, viewer: Caller, image_ids: Collection[str], wanted: MemberFilter
) -> dict[str, int]:
    return await pages.counts_by_parent(conn, _of_images(viewer, image_ids, wanted), MEMBER.c.image_id)


async def count_for_quota(conn: Connection, image_id: str) -> int:
    """Pending and accepted rows of an image, of tenants that exist and of those that do not (P6)."""
    return (await _TAKEN.rows(conn, image=image_id))[0][0]


async def all_of(conn: Connection, image_id: str) -> list[SeenMember]:
    """Every row of an image, for the owner who is about to delete it."""
    return [_make(row) for row in await _ALL.rows(conn, image=image_id)]


async def add(conn: Connection, members: Sequence[SeenMember]) -> None:
    await _ADD.run_for_each(conn, [member._asdict() for member in members])


async def set_status(conn: Connection, member_id: str, status: MemberStatus, at: datetime) -> None:
    await _SET_STATUS.run(conn, member=member_id, to=status, at=at)


async def remove(conn: Connection, member_id: str) -> None:
    await _REMOVE.run(conn, member=member_id)


async def remove_all_of(conn: Connection, image_id: str) -> None:
    await _REMOVE_ALL.run(conn, image=image_id)


def _joined() -> Select[Any]:
    statement: Any = select(*_COLUMNS)
    return statement.join(IMAGE, IMAGE.c.id == MEMBER.c.image_id)


def offered_way(rights: Rights, wanted: MemberFilter) -> Way:
    """How the rows that are offered to the viewer are found: they name it; of a named image there is one at most."""
    rows = Driven(rights.members, rights.images, rights.image.id == rights.member.image_id)
    if wanted.image_id is None:
        return Way(rows, (rights.is_consumer(), *_wanted(rights, wanted)))
    is_named = rights.member.image_id == rights.shared_image_named(_id(wanted.image_id))
    return Way(rows, (is_named, rights.is_consumer(), *_wanted(rights, wanted)))


def sent_way(rights: Rights, wanted: MemberFilter) -> Way:
    """How the rows that the viewer has offered are found: they are of its images."""
    rows = Driven(rights.images, rights.members, rights.image.id == rights.member.image_id)
    if wanted.image_id is None:
        return Way(rows, (rights.is_producer(), *_wanted(rights, wanted)))
    is_named = rights.image.id == rights.own_image_named(_id(wanted.image_id))
    return Way(rows, (is_named, rights.is_producer(), *_wanted(rights, wanted)))


def seen_where(rights: Rights, wanted: MemberFilter) -> list[ColumnElement[bool]]:
    """What makes a row, joined to an image at hand, one that the viewer may see."""
    return [rights.may_see_member(), *_wanted(rights, wanted)]


def _watched(rights: Rights, image_id: str | None, as_producer: bool, as_consumer: bool) -> ColumnElement[bool]:
    if image_id is None:
        return rights.may_watch_member(as_producer, as_consumer)
    if rights.viewer.is_operator and as_producer and as_consumer:
        return rights.member.image_id == image_id
    own = [rights.member.image_id == rights.own_image_named(literal(image_id))] if as_producer else []
    shared = rights.member.image_id == rights.shared_image_named(literal(image_id))
    return or_(*own, *([and_(shared, rights.is_consumer())] if as_consumer else []))


def _id(given: Any) -> ColumnElement[Any]:
    """The ID that was given, or the name that stands for it in a statement that is made once."""
    return type_coerce(literal(given) if isinstance(given, str) else given, Text)


def _wanted(rights: Rights, wanted: MemberFilter) -> Iterator[ColumnElement[bool]]:
    """All filters but the image, which is looked for by itself."""
    image, member = rights.image, rights.member
    if wanted.status is not None:
        yield member.status.in_(wanted.status)
    if wanted.owner_id is not None:
        yield image.owner_id == wanted.owner_id
    if wanted.tenant_id is not None:
        yield member.tenant_id == wanted.tenant_id


def _offers(viewer: Caller, wanted: MemberFilter) -> Select[Any]:
    return _by(offered_way(Rights(viewer), wanted))


def _sent(viewer: Caller, wanted: MemberFilter) -> Select[Any]:
    return _by(sent_way(Rights(viewer), wanted))


def _by(way: Way) -> Select[Any]:
    return select(*_COLUMNS).select_from(way.rows).where(*way.where)


def _of_images(viewer: Caller, image_ids: Collection[str], wanted: MemberFilter) -> Select[Any]:
    return _joined().where(MEMBER.c.image_id.in_(image_ids), *seen_where(Rights(viewer), wanted))


def _make(row: Sequence[Any]) -> SeenMember:
    return SeenMember._make(row)


_OF_IMAGE = MEMBER.c.image_id == slot("image")
_OWN = Prepared(_joined().where(Rights(any_viewer(is_operator=False)).is_consumer(), _OF_IMAGE))
_TAKEN = Prepared(select(func.count()).where(_OF_IMAGE, MEMBER.c.status.in_(_FILLS_THE_QUOTA)))
_ALL = Prepared(select(*_COLUMNS).where(_OF_IMAGE).order_by(*_KEY))
_ADD = Prepared(insert(MEMBER).values({name: slot(name) for name in SeenMember._fields}))
_ONE = MEMBER.c.id == slot("member")
_SET_STATUS = Prepared(update(MEMBER).where(_ONE).values(status=slot("to"), updated_at=slot("at")))
_REMOVE = Prepared(delete(MEMBER).where(_ONE))
_REMOVE_ALL = Prepared(delete(MEMBER).where(_OF_IMAGE))


@cache
def _of_tenants(is_operator: bool, number: int) -> Prepared:
    """Rows of others are looked for on the viewer's own image alone."""
    rights = Rights(any_viewer(is_operator))
    tenants = [slot(f"tenant_{index}", Text()) for index in range(number)]
    looked_for = [case((rights.may_look_for(tenant), tenant)) for tenant in tenants]
    rows = Driven(IMAGE, MEMBER, IMAGE.c.id == MEMBER.c.image_id)
    of_image = IMAGE.c.id == slot("image"), MEMBER.c.tenant_id.in_(looked_for)
    return Prepared(select(*_COLUMNS).select_from(rows).where(*of_image, rights.may_see_member()))
