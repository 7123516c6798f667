"""Queries on member rows. Every read takes its viewer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from app.model import Caller, Image, Member, MemberStatus, SeenMember
from app.store import pages, rights
from app.store.pages import Page, PageRequest

_KEY = pages.SortKey(col(Member.created_at), col(Member.id))
_COLUMNS: list[Any] = [col(getattr(Member, name)) for name in SeenMember._fields]
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
    statement = _seen_by(viewer).where(col(Member.id).in_(ids))
    return {row.id: _make(row) for row in await conn.execute(statement)}


async def of_viewer(conn: AsyncConnection, viewer: Caller, image_ids: Collection[str]) -> dict[str, SeenMember]:
    """The viewer's own live row on each of these images."""
    statement = _joined().where(rights.is_consumer(viewer), col(Member.image_id).in_(image_ids))
    return {row.image_id: _make(row) for row in await conn.execute(statement)}


async def of_tenants(
    conn: AsyncConnection, viewer: Caller, image_id: str, tenant_ids: Collection[str]
) -> dict[str, SeenMember]:
    """The rows of these tenants on one image that the viewer may see."""
    of_image = _seen_by(viewer).where(col(Member.image_id) == image_id, col(Member.tenant_id).in_(tenant_ids))
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
    statement: Any = select(*_COLUMNS, col(Image.owner_id)).join(Image, col(Image.id) == col(Member.image_id))
    seen = rights.may_watch_member(viewer, as_producer, as_consumer)
    rows = await conn.execute(_filtered(statement.where(seen), wanted).order_by(*_KEY).limit(limit))
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
    return await pages.pages_by_parent(conn, statement, _KEY, col(Member.image_id), request, _make)


async def count_of_images(
    conn: AsyncConnection, viewer: Caller, image_ids: Collection[str], wanted: MemberFilter
) -> dict[str, int]:
    return await pages.counts_by_parent(conn, _of_images(viewer, image_ids, wanted), col(Member.image_id))


async def count_for_quota(conn: AsyncConnection, image_id: str) -> int:
    """Pending and accepted rows of an image, of tenants that exist and of those that do not (P6)."""
    taken = select(func.count()).where(col(Member.image_id) == image_id, col(Member.status).in_(_FILLS_THE_QUOTA))
    return await conn.scalar(taken) or 0


async def all_of(conn: AsyncConnection, image_id: str) -> list[SeenMember]:
    """Every row of an image, for the owner who is about to delete it."""
    rows = await conn.execute(select(*_COLUMNS).where(col(Member.image_id) == image_id).order_by(*_KEY))
    return [_make(row) for row in rows]


async def add(conn: AsyncConnection, members: Sequence[SeenMember]) -> None:
    await conn.execute(insert(Member), [member._asdict() for member in members])


async def set_status(conn: AsyncConnection, member_id: str, status: MemberStatus, at: datetime) -> None:
    await conn.execute(update(Member).where(col(Member.id) == member_id).values(status=status, updated_at=at))


async def remove(conn: AsyncConnection, member_ids: Collection[str]) -> None:
    await conn.execute(delete(Member).where(col(Member.id).in_(member_ids)))


async def remove_all_of(conn: AsyncConnection, image_id: str) -> None:
    await conn.execute(delete(Member).where(col(Member.image_id) == image_id))


def _joined() -> Select[Any]:
    statement: Any = select(*_COLUMNS)
    return statement.join(Image, col(Image.id) == col(Member.image_id))


def _seen_by(viewer: Caller) -> Select[Any]:
    return _joined().where(rights.may_see_member(viewer))


def _offers(viewer: Caller, wanted: MemberFilter) -> Select[Any]:
    return _filtered(_joined().where(rights.is_consumer(viewer)), wanted)


def _sent(viewer: Caller, wanted: MemberFilter) -> Select[Any]:
    return _filtered(_joined().where(rights.is_producer(viewer)), wanted)


def _of_images(viewer: Caller, image_ids: Collection[str], wanted: MemberFilter) -> Select[Any]:
    return _filtered(_seen_by(viewer).where(col(Member.image_id).in_(image_ids)), wanted)


def _filtered(statement: Select[Any], wanted: MemberFilter) -> Select[Any]:
    if wanted.status is not None:
        statement = statement.where(col(Member.status).in_(wanted.status))
    if wanted.image_id is not None:
        statement = statement.where(col(Member.image_id) == wanted.image_id)
    if wanted.owner_id is not None:
        statement = statement.where(col(Image.owner_id) == wanted.owner_id)
    if wanted.tenant_id is not None:
        statement = statement.where(col(Member.tenant_id) == wanted.tenant_id)
    return statement


def _make(row: Sequence[Any]) -> SeenMember:
    return SeenMember._make(row)
