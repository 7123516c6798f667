"""Queries on member rows. Every read takes its viewer."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.model import Caller, MemberStatus, SeenMember
from app.store import pages
from app.store.pages import Page, PageRequest
from app.store.rights import IMAGE, MEMBER, Rights

_KEY = pages.sort_key(MEMBER)
_COLUMNS = [MEMBER.c[name] for name in SeenMember._fields]
_FILLS_THE_QUOTA = (MemberStatus.PENDING, MemberStatus.ACCEPTED)


@dataclass(frozen=True)
class MemberFilter:
    """Which member rows of a list are wanted; None means any."""

    status: tuple[MemberStatus, ...] | None = None
    image_id: str | None = None
    owner_id: str | None = None
    tenant_id: str | None = None


async def find(conn: AsyncConnection, viewer: Caller, ids: Collection[str]) -> dict[str, SeenMember]:
    """The member rows with these IDs that the viewer may see."""
    statement = _seen_by(viewer).where(MEMBER.c.id.in_(ids))
    return {row.id: _make(row) for row in await conn.execute(statement)}


async def of_viewer(conn: AsyncConnection, viewer: Caller, image_ids: Collection[str]) -> dict[str, SeenMember]:
    """The viewer's own live row on each of these images."""
    statement = _joined().where(Rights(viewer).is_consumer(), MEMBER.c.image_id.in_(image_ids))
    return {row.image_id: _make(row) for row in await conn.execute(statement)}


async def of_tenants(
    conn: AsyncConnection, viewer: Caller, image_id: str, tenant_ids: Collection[str]
) -> dict[str, SeenMember]:
    """The rows of these tenants on one image that the viewer may see."""
    of_image = _seen_by(viewer).where(MEMBER.c.image_id == image_id, MEMBER.c.tenant_id.in_(tenant_ids))
    return {row.tenant_id: _make(row) for row in await conn.execute(of_image)}


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
    seen = Rights(viewer).may_watch_member(as_producer, as_consumer)
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


async def count_for_quota(conn: AsyncConnection, image_id: str) -> int:
    """Pending and accepted rows of an image, of tenants that exist and of those that do not (P6)."""
    taken = select(func.count()).where(MEMBER.c.image_id == image_id, MEMBER.c.status.in_(_FILLS_THE_QUOTA))
    return await conn.scalar(taken) or 0


async def all_of(conn: AsyncConnection, image_id: str) -> list[SeenMember]:
    """Every row of an image, for the owner who is about to delete it."""
    rows = await conn.execute(select(*_COLUMNS).where(MEMBER.c.image_id == image_id).order_by(*_KEY))
    return [_make(row) for row in rows]


async def add(conn: AsyncConnection, members: Sequence[SeenMember]) -> None:
    await conn.execute(insert(MEMBER), [member._asdict() for member in members])


async def set_status(conn: AsyncConnection, member_id: str, status: MemberStatus, at: datetime) -> None:
    await conn.execute(update(MEMBER).where(MEMBER.c.id == member_id).values(status=status, updated_at=at))


async def remove(conn: AsyncConnection, member_ids: Collection[str]) -> None:
    await conn.execute(delete(MEMBER).where(MEMBER.c.id.in_(member_ids)))


async def remove_all_of(conn: AsyncConnection, image_id: str) -> None:
    await conn.execute(delete(MEMBER).where(MEMBER.c.image_id == image_id))


def _joined() -> Select[Any]:
    statement: Any = select(*_COLUMNS)
    return statement.join(IMAGE, IMAGE.c.id == MEMBER.c.image_id)


def _seen_by(viewer: Caller) -> Select[Any]:
    return _joined().where(Rights(viewer).may_see_member())


def offered_where(rights: Rights, wanted: MemberFilter) -> list[ColumnElement[bool]]:
    """What makes a row, joined to its image, part of what is offered to the viewer."""
    return [rights.is_consumer(), *_wanted(rights, wanted)]


def sent_where(rights: Rights, wanted: MemberFilter) -> list[ColumnElement[bool]]:
    """What makes a row, joined to its image, part of what the viewer has offered."""
    return [rights.is_producer(), *_wanted(rights, wanted)]


def seen_where(rights: Rights, wanted: MemberFilter) -> list[ColumnElement[bool]]:
    """What makes a row, joined to its image, one that the viewer may see."""
    return [rights.may_see_member(), *_wanted(rights, wanted)]


def _wanted(rights: Rights, wanted: MemberFilter) -> Iterator[ColumnElement[bool]]:
    image, member = rights.image, rights.member
    if wanted.status is not None:
        yield member.status.in_(wanted.status)
    if wanted.image_id is not None:
        yield member.image_id == wanted.image_id
    if wanted.owner_id is not None:
        yield image.owner_id == wanted.owner_id
    if wanted.tenant_id is not None:
        yield member.tenant_id == wanted.tenant_id


def _offers(viewer: Caller, wanted: MemberFilter) -> Select[Any]:
    return _joined().where(*offered_where(Rights(viewer), wanted))


def _sent(viewer: Caller, wanted: MemberFilter) -> Select[Any]:
    return _joined().where(*sent_where(Rights(viewer), wanted))


def _of_images(viewer: Caller, image_ids: Collection[str], wanted: MemberFilter) -> Select[Any]:
    return _joined().where(MEMBER.c.image_id.in_(image_ids), *seen_where(Rights(viewer), wanted))


def _make(row: Sequence[Any]) -> SeenMember:
    return SeenMember._make(row)
