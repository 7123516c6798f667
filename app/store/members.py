"""Queries on member rows. Every read takes its viewer."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Text,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.model import Caller, MemberStatus, SeenMember
from app.store import named, pages
from app.store.access_paths import AccessPath, OrderedJoin
from app.store.engines.prepared import Connection, Prepared, slot
from app.store.member_paths import MemberFilter, conditions, offered_path, paths_of_images, sent_path
from app.store.pages import Page, PageRequest
from app.store.rights import IMAGE, MEMBER, Rights, any_viewer

_KEY = pages.sort_key(MEMBER)
# Shapes of filters and windows whose statements are kept.
_MAX_SHAPES = 256
_FILLS_THE_QUOTA = (MemberStatus.PENDING, MemberStatus.ACCEPTED)


async def find(conn: Connection, viewer: Caller, ids: Collection[str]) -> dict[str, SeenMember]:
    """The member rows with these IDs that the viewer may see."""
    if not ids:
        return {}
    named_ids = named.ids_for(ids)
    rows = await _found_each(viewer.is_operator, len(named_ids)).rows(conn, viewer=viewer.tenant_id, **named_ids)
    return {member.id: member for member in map(SeenMember.from_values, rows)}


async def of_viewer(conn: AsyncConnection, viewer: Caller, image_ids: Collection[str]) -> dict[str, SeenMember]:
    """The viewer's own live row on each of these images."""
    statement = _joined().where(Rights(viewer).is_consumer(), MEMBER.c.image_id.in_(image_ids))
    return {row.image_id: SeenMember.from_values(row) for row in await conn.execute(statement)}


async def own_row(conn: Connection, viewer: Caller, image_id: str) -> SeenMember | None:
    """The viewer's own live row on an image."""
    rows = await _OWN.rows(conn, image=image_id, viewer=viewer.tenant_id)
    return SeenMember.from_values(rows[0]) if rows else None


async def of_tenants(
    conn: Connection, viewer: Caller, image_id: str, tenant_ids: Collection[str]
) -> dict[str, SeenMember]:
    """The rows of these tenants on one image that the viewer may see."""
    tenants = {f"tenant_{index}": tenant_id for index, tenant_id in enumerate(tenant_ids)}
    statement = _of_tenants(viewer.is_operator, len(tenants))
    rows = await statement.rows(conn, image=image_id, viewer=viewer.tenant_id, **tenants)
    return {row.tenant_id: row for row in map(SeenMember.from_values, rows)}


async def offers(
    conn: AsyncConnection, viewer: Caller, row_filter: MemberFilter, request: PageRequest
) -> Page[SeenMember]:
    """The offers that the viewer has received."""
    return await pages.page_of(conn, _offers(viewer, row_filter), _KEY, request, SeenMember.from_values)


async def count_offers(conn: AsyncConnection, viewer: Caller, row_filter: MemberFilter) -> int:
    return await pages.count_of(conn, _offers(viewer, row_filter))


async def sent(
    conn: AsyncConnection, viewer: Caller, row_filter: MemberFilter, request: PageRequest
) -> Page[SeenMember]:
    """The offers that the viewer's tenant has made, over all its images, inert rows included."""
    return await pages.page_of(conn, _sent(viewer, row_filter), _KEY, request, SeenMember.from_values)


async def count_sent(conn: AsyncConnection, viewer: Caller, row_filter: MemberFilter) -> int:
    return await pages.count_of(conn, _sent(viewer, row_filter))


async def read_watched(
    conn: AsyncConnection,
    viewer: Caller,
    limit: int,
    *,
    row_filter: MemberFilter,
    as_producer: bool,
    as_consumer: bool,
) -> list[tuple[SeenMember, str]]:
    """The rows that the viewer may hear of, as one side or as both, each with the owner of its image."""
    statement: Any = select(*MEMBER.c, IMAGE.c.owner_id).join(IMAGE, IMAGE.c.id == MEMBER.c.image_id)
    seen = _watched(Rights(viewer), row_filter.image_id, as_producer, as_consumer)
    found = statement.where(seen, *conditions(Rights(viewer), row_filter)).order_by(*_KEY).limit(limit)
    rows = await conn.execute(found)
    return [(SeenMember.from_values(row[:-1]), row[-1]) for row in rows]


async def of_images(
    conn: AsyncConnection,
    viewer: Caller,
    image_ids: Collection[str],
    row_filter: MemberFilter,
    request: PageRequest,
) -> dict[str, Page[SeenMember]]:
    """For each image, its rows that the viewer may see."""
    ids = named.ids_for(image_ids)
    statement = _pages_of_images(viewer.is_operator, len(ids), row_filter.shape, request.shape)
    rows = await statement.rows(conn, viewer=viewer.tenant_id, **ids, **row_filter.values, **request.values)
    return pages.by_parent(rows, request, SeenMember.from_values)


async def count_of_images(
    conn: AsyncConnection, viewer: Caller, image_ids: Collection[str], row_filter: MemberFilter
) -> dict[str, int]:
    ids = named.ids_for(image_ids)
    statement = _counts_of_images(viewer.is_operator, len(ids), row_filter.shape)
    return dict(await statement.rows(conn, viewer=viewer.tenant_id, **ids, **row_filter.values))


async def count_for_quota(conn: Connection, image_id: str) -> int:
    """Pending and accepted rows of an image, of tenants that exist and of those that do not."""
    return (await _TAKEN.rows(conn, image=image_id))[0][0]


async def all_of(conn: Connection, image_id: str) -> list[SeenMember]:
    """Every row of an image, for the owner who is about to delete it."""
    return [SeenMember.from_values(row) for row in await _ALL.rows(conn, image=image_id)]


async def add(conn: Connection, members: Sequence[SeenMember]) -> None:
    await _ADD.run_for_each(conn, [member.as_dict() for member in members])


async def set_status(conn: Connection, member_id: str, status: MemberStatus, at: datetime) -> None:
    await _SET_STATUS.run(conn, member=member_id, to=status, at=at)


async def remove(conn: Connection, member_id: str) -> None:
    await _REMOVE.run(conn, member=member_id)


async def remove_all_of(conn: Connection, image_id: str) -> None:
    await _REMOVE_ALL.run(conn, image=image_id)


def _joined() -> Select[Any]:
    statement: Any = select(*MEMBER.c)
    return statement.join(IMAGE, IMAGE.c.id == MEMBER.c.image_id)


def _watched(rights: Rights, image_id: str | None, as_producer: bool, as_consumer: bool) -> ColumnElement[bool]:
    if image_id is None:
        return rights.may_watch_member(as_producer, as_consumer)
    if rights.viewer.is_operator and as_producer and as_consumer:
        return rights.member.image_id == image_id
    own = [rights.member.image_id == rights.own_image_named(literal(image_id))] if as_producer else []
    shared = rights.member.image_id == rights.shared_image_named(literal(image_id))
    return or_(*own, *([and_(shared, rights.is_consumer())] if as_consumer else []))


def _offers(viewer: Caller, row_filter: MemberFilter) -> Select[Any]:
    return _by(offered_path(Rights(viewer), row_filter))


def _sent(viewer: Caller, row_filter: MemberFilter) -> Select[Any]:
    return _by(sent_path(Rights(viewer), row_filter))


def _by(path: AccessPath) -> Select[Any]:
    return select(*MEMBER.c).select_from(path.rows).where(*path.where)


def _of_images(is_operator: bool, size: int, row_filter: MemberFilter) -> Subquery:
    """The rows, one access path after the other: with OR, PostgreSQL would scan every member."""
    rights, ids = Rights(any_viewer(is_operator)), named.slots(size)
    found = [_by(path) for path in paths_of_images(rights, ids, row_filter.slots)]
    return (found[0] if len(found) == 1 else union_all(*found)).subquery()


_OF_IMAGE = MEMBER.c.image_id == slot("image")
_OWN = Prepared(_joined().where(Rights(any_viewer(is_operator=False)).is_consumer(), _OF_IMAGE))
_TAKEN = Prepared(select(func.count()).where(_OF_IMAGE, MEMBER.c.status.in_(_FILLS_THE_QUOTA)))
_ALL = Prepared(select(*MEMBER.c).where(_OF_IMAGE).order_by(*_KEY))
_ADD = Prepared(insert(MEMBER).values({column.name: slot(column.name) for column in MEMBER.c}))
_ONE = MEMBER.c.id == slot("member")
_SET_STATUS = Prepared(update(MEMBER).where(_ONE).values(status=slot("to"), updated_at=slot("at")))
_REMOVE = Prepared(delete(MEMBER).where(_ONE))
_REMOVE_ALL = Prepared(delete(MEMBER).where(_OF_IMAGE))


@lru_cache(_MAX_SHAPES)
def _pages_of_images(is_operator: bool, size: int, row_filter: MemberFilter, request: PageRequest) -> Prepared:
    rows = _of_images(is_operator, size, row_filter)
    key = pages.sort_key(rows)
    window = request.slots(rows.c.created_at.type)
    return Prepared(pages.windows_by_parent(select(rows), key, rows.c.image_id, window))


@lru_cache(_MAX_SHAPES)
def _counts_of_images(is_operator: bool, size: int, row_filter: MemberFilter) -> Prepared:
    rows = _of_images(is_operator, size, row_filter)
    return Prepared(select(rows.c.image_id, func.count()).group_by(rows.c.image_id))


@cache
def _found_each(is_operator: bool, size: int) -> Prepared:
    each = named.each_of(size)
    beside, *seen = Rights(any_viewer(is_operator)).sees_named_member(each.c.value)
    rows = OrderedJoin(OrderedJoin(each, MEMBER, beside), IMAGE, IMAGE.c.id == MEMBER.c.image_id)
    return Prepared(select(*MEMBER.c).select_from(rows).where(*seen))


@cache
def _of_tenants(is_operator: bool, number: int) -> Prepared:
    """Rows of others are looked for on the viewer's own image alone."""
    rights = Rights(any_viewer(is_operator))
    tenants = [slot(f"tenant_{index}", Text()) for index in range(number)]
    looked_for = [case((rights.may_look_for(tenant), tenant)) for tenant in tenants]
    rows = OrderedJoin(IMAGE, MEMBER, IMAGE.c.id == MEMBER.c.image_id)
    of_image = IMAGE.c.id == slot("image"), MEMBER.c.tenant_id.in_(looked_for)
    return Prepared(select(*MEMBER.c).select_from(rows).where(*of_image, rights.may_see_member()))
