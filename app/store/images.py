"""Queries on images. Every read takes its viewer."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, and_, case, delete, func, insert, literal, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.model import Caller, ImageStatus, ImageVisibility, MemberStatus, SeenImage
from app.store import keyset_windows, named, pages
from app.store.access_paths import AccessPath, OrderedJoin
from app.store.engines.prepared import Connection, Prepared, slot
from app.store.pages import Page, PageRequest
from app.store.rights import IMAGE, Rights, any_viewer

_KEY = pages.sort_key(IMAGE)
FOR_PARTIES_ONLY = {"owner_id", "external_id", "server_id", "source_url"}
_ANY_STATUS = tuple(MemberStatus)
_ID = slot("id", Text())


class ImageFilter(NamedTuple):
    """A filter on images; None means any value."""

    member_status: tuple[MemberStatus, ...] | None = None
    owner_id: str | None = None
    visibility: ImageVisibility | None = None
    status: tuple[ImageStatus, ...] | None = None
    name: str | None = None
    external_id: str | None = None
    hidden: bool | None = None


async def find(conn: AsyncConnection, viewer: Caller, ids: Collection[str]) -> dict[str, SeenImage]:
    """The images with these IDs that the viewer may see."""
    if not ids:
        return {}
    named_ids = named.ids_for(ids)
    rows = await _found_each(viewer.is_operator, len(named_ids)).rows(conn, viewer=viewer.tenant_id, **named_ids)
    return {image.id: image for image in map(SeenImage.from_values, rows)}


async def find_one(conn: Connection, viewer: Caller, image_id: str) -> SeenImage | None:
    """The image, if the viewer may see it."""
    rows = await _found(viewer.is_operator).rows(conn, id=image_id, viewer=viewer.tenant_id)
    return SeenImage.from_values(rows[0]) if rows else None


async def read_list(
    conn: AsyncConnection, viewer: Caller, row_filter: ImageFilter, request: PageRequest
) -> Page[SeenImage]:
    """The viewer's image list."""
    paths = list_paths(Rights(viewer), row_filter)
    return await keyset_windows.page_of(conn, _seen_by(viewer), paths, IMAGE, request, SeenImage.from_values)


async def count_list(conn: AsyncConnection, viewer: Caller, row_filter: ImageFilter) -> int:
    return await keyset_windows.count_of(conn, list_paths(Rights(viewer), row_filter), _KEY)


async def of_owners(
    conn: AsyncConnection,
    viewer: Caller,
    owner_ids: Collection[str],
    row_filter: ImageFilter,
    request: PageRequest,
) -> dict[str, Page[SeenImage]]:
    """For each owner, its images that the viewer may know to be that owner's."""
    statement = _of_owners(viewer, owner_ids, row_filter)
    return await pages.pages_by_parent(conn, statement, _KEY, IMAGE.c.owner_id, request, SeenImage.from_values)


async def count_of_owners(
    conn: AsyncConnection, viewer: Caller, owner_ids: Collection[str], row_filter: ImageFilter
) -> dict[str, int]:
    return await pages.counts_by_parent(conn, _of_owners(viewer, owner_ids, row_filter), IMAGE.c.owner_id)


async def read_watched(
    conn: AsyncConnection, viewer: Caller, limit: int, *, image_id: str | None, as_producer: bool, as_consumer: bool
) -> list[SeenImage]:
    """The images that the viewer may watch: its own, those shared to it, or both."""
    rights = Rights(viewer)
    if image_id is None:
        seen: Collection[ColumnElement[bool]] = (rights.may_watch_image(as_producer, as_consumer),)
    else:
        seen = rights.watches_named_image(literal(image_id), as_producer, as_consumer)
    statement = _seen_by(viewer).where(*seen)
    return [SeenImage.from_values(row) for row in await conn.execute(statement.order_by(*_KEY).limit(limit))]


async def lock(conn: Connection, viewer: Caller, image_id: str) -> bool:
    """Lock the image against changes by other transactions. Returns whether the viewer may see it.

    SQLite has a single writer and no row locks.
    """
    if conn.dialect.name == "sqlite":
        return True
    return bool(await _locked(viewer.is_operator).rows(conn, id=image_id, viewer=viewer.tenant_id))


async def add(conn: Connection, image: SeenImage) -> None:
    await _ADD.run(conn, **image.as_dict())


async def claim_external_id(conn: Connection, owner_id: str, external_id: str) -> bool:
    """Whether no image of the owner has this external ID; until the transaction ends, none gets it elsewhere."""
    if conn.dialect.name != "sqlite":
        number = func.hashtextextended(f"{owner_id} {external_id}", 1)
        await conn.execute(select(func.pg_advisory_xact_lock(number)))
    return not await _CLAIMED.rows(conn, owner=owner_id, external=external_id)


async def change(conn: Connection, image_id: str, values: Mapping[str, Any]) -> None:
    await conn.execute(update(IMAGE).where(IMAGE.c.id == image_id).values(**values))


async def remove(conn: Connection, image_id: str) -> None:
    await _REMOVE.run(conn, id=image_id)


def list_paths(rights: Rights, row_filter: ImageFilter) -> list[AccessPath]:
    """The access paths to the viewer's image list."""
    statuses = _ANY_STATUS if row_filter.member_status is None else row_filter.member_status
    conditions = tuple(_conditions(rights, row_filter))
    paths = rights.list_paths(statuses, row_filter.owner_id, row_filter.external_id)
    return [path.narrow(*conditions) for path in paths]


def paths_of_owner(rights: Rights, owner: ColumnElement[Any], row_filter: ImageFilter) -> list[AccessPath]:
    """The access paths to the images of a tenant that the viewer may know to be its."""
    conditions = tuple(_conditions(rights, row_filter))
    return [path.narrow(*conditions) for path in rights.party_paths(owner=owner)]


def _conditions(rights: Rights, row_filter: ImageFilter) -> Iterator[ColumnElement[bool]]:
    """The conditions of a filter, except the owner and the external ID, which select the access paths."""
    image = rights.image
    if row_filter.visibility is not None:
        yield image.visibility == row_filter.visibility
    if row_filter.status is not None:
        yield image.status.in_(row_filter.status)
    if row_filter.name is not None:
        yield image.name == row_filter.name
    if row_filter.hidden is not None:
        yield image.hidden == row_filter.hidden


def _seen_by(viewer: Caller) -> Select[Any]:
    party = Rights(viewer).is_party()

    def visible(column: ColumnElement[Any]) -> ColumnElement[Any]:
        is_for_parties = column.name in FOR_PARTIES_ONLY
        return case((party, column), else_=null()).label(column.name) if is_for_parties else column

    return select(*map(visible, IMAGE.c))


def _of_owners(viewer: Caller, owner_ids: Collection[str], row_filter: ImageFilter) -> Select[Any]:
    rights = Rights(viewer)
    conditions = IMAGE.c.owner_id.in_(owner_ids), *_conditions(rights, row_filter)
    paths = [path.narrow(*conditions) for path in rights.party_paths()]
    found = keyset_windows.every(paths, _KEY).subquery()
    return _seen_by(viewer).select_from(OrderedJoin(found, IMAGE, IMAGE.c.id == found.c.id))


@cache
def _found(is_operator: bool) -> Prepared:
    viewer = any_viewer(is_operator)
    return Prepared(_seen_by(viewer).where(*Rights(viewer).sees_named_image(_ID)))


@cache
def _found_each(is_operator: bool, size: int) -> Prepared:
    viewer, each = any_viewer(is_operator), named.each_of(size)
    seen = and_(*Rights(viewer).sees_named_image(each.c.value))
    return Prepared(_seen_by(viewer).select_from(OrderedJoin(each, IMAGE, seen)))


@cache
def _locked(is_operator: bool) -> Prepared:
    seen = Rights(any_viewer(is_operator)).sees_named_image(_ID)
    return Prepared(select(IMAGE.c.id).where(*seen).with_for_update(of=IMAGE))


_ADD = Prepared(insert(IMAGE).values({column.name: slot(column.name) for column in IMAGE.c}))
_CLAIMED = Prepared(
    select(IMAGE.c.id).where(IMAGE.c.owner_id == slot("owner"), IMAGE.c.external_id == slot("external"))
)
_REMOVE = Prepared(delete(IMAGE).where(IMAGE.c.id == slot("id")))
