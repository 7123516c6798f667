"""Keyset pagination: newest first, by (created_at, id), which never change, so inserts move no page."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, FromClause, Row, Select, Subquery, func, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.ways import Driven, Way

Seen = TypeVar("Seen")
LARGEST_PAGE = 100
Limit = Callable[[Any, Any], Any]
Within = Callable[[Select[Any]], Select[Any]]


class Position(NamedTuple):
    """A place in a list that is sorted by creation, newest first."""

    created_at: datetime
    id: str


class PageRequest(NamedTuple):
    """A window on a list: `first` from its start or `last` from its end, between two positions."""

    first: int | None = None
    last: int | None = None
    after: Position | None = None
    before: Position | None = None

    @property
    def size(self) -> int:
        return self.first if self.first is not None else self.last or 0


class Page(NamedTuple, Generic[Seen]):
    """The rows of one window, newest first."""

    rows: list[Seen]
    has_next: bool
    has_previous: bool


class SortKey(NamedTuple):
    """The two columns that place a row in its list."""

    created_at: Any
    id: Any


def sort_key(table: FromClause) -> SortKey:
    return SortKey(table.c.created_at, table.c.id)


def empty(request: PageRequest) -> Page[Any]:
    """The window of a parent that has no rows in it."""
    return _page([], request)


async def page_of(
    conn: AsyncConnection,
    statement: Select[Any],
    key: SortKey,
    request: PageRequest,
    make: Callable[[Sequence[Any]], Seen],
) -> Page[Seen]:
    """One window of the statement's rows."""
    window = statement.where(*between(key, request)).order_by(*order(key, request)).limit(request.size + 1)
    return _page([make(row) for row in await conn.execute(window)], request)


async def page_of_ways(
    conn: AsyncConnection,
    statement: Select[Any],
    ways: Sequence[Way],
    table: FromClause,
    request: PageRequest,
    make: Callable[[Sequence[Any]], Seen],
) -> Page[Seen]:
    """One window of the table's rows that are found by the ways."""
    key = sort_key(table)
    found = first_of(ways, key, request, request.size + 1)
    window = statement.select_from(Driven(found, table, key.id == found.c.id)).order_by(*order(key, request))
    return _page([make(row) for row in await conn.execute(window)], request)


async def pages_by_parent(
    conn: AsyncConnection,
    statement: Select[Any],
    key: SortKey,
    parent: Any,
    request: PageRequest,
    make: Callable[[Sequence[Any]], Seen],
) -> dict[str, Page[Seen]]:
    """The same window for each of many parents, in one statement. Parents without rows are left out."""
    rank = func.row_number().over(partition_by=parent, order_by=order(key, request)).label("page_rank")
    ranked = statement.add_columns(parent.label("page_parent"), rank).where(*between(key, request)).subquery()
    window = select(ranked).where(ranked.c.page_rank <= request.size + 1).order_by(ranked.c.page_rank)
    rows_of: dict[str, list[Row[Any]]] = {}
    for row in await conn.execute(window):
        rows_of.setdefault(row.page_parent, []).append(row)
    return {of: _page([make(row[:-2]) for row in rows], request) for of, rows in rows_of.items()}


async def count_of(conn: AsyncConnection, statement: Select[Any]) -> int:
    """How many rows the statement has, over all its pages."""
    total = await conn.scalar(select(func.count()).select_from(statement.subquery()))
    return total or 0


async def counts_by_parent(conn: AsyncConnection, statement: Select[Any], parent: Any) -> dict[str, int]:
    """How many rows each of many parents has, in one statement."""
    grouped = statement.with_only_columns(parent, func.count()).group_by(parent)
    return {row[0]: row[1] for row in await conn.execute(grouped)}


async def count_of_ways(conn: AsyncConnection, ways: Sequence[Way], key: SortKey) -> int:
    return await conn.scalar(select(func.count()).select_from(every(ways, key).subquery())) or 0


def first_of(
    ways: Sequence[Way],
    key: SortKey,
    request: PageRequest,
    size: Any,
    within: Within = lambda found: found,
    limit: Limit = lambda found, size: found.limit(size),
) -> Subquery:
    """The places of the first rows of a window, by whichever ways they are found."""
    found = every(ways, key, between(key, request), within)
    place = SortKey(found.selected_columns.created_at, found.selected_columns.id)
    return limit(found.order_by(*order(place, request)), size).subquery()


def every(
    ways: Sequence[Way],
    key: SortKey,
    bounds: Collection[ColumnElement[bool]] = (),
    within: Within = lambda found: found,
) -> Any:
    """The places of all rows that are found by the ways. No row may be found by two of them."""
    columns: list[Any] = [key.created_at.label("created_at"), key.id.label("id")]
    statement: Any = select(*columns)
    found = [within(statement.select_from(way.rows).where(*way.where, *bounds)) for way in ways]
    return found[0] if len(found) == 1 else union_all(*found)


def between(key: SortKey, request: PageRequest) -> Collection[ColumnElement[bool]]:
    place = tuple_(key.created_at, key.id)
    bounds: list[ColumnElement[bool]] = []
    if request.after is not None:
        bounds.append(place < _tuple_of(request.after, key))
    if request.before is not None:
        bounds.append(place > _tuple_of(request.before, key))
    return bounds


def _tuple_of(position: Position, key: SortKey) -> ColumnElement[Any]:
    return tuple_(position.created_at, position.id, types=[key.created_at.type, key.id.type])


def order(key: SortKey, request: PageRequest) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    if request.first is None:
        return key.created_at.asc(), key.id.asc()
    return key.created_at.desc(), key.id.desc()


def _page(rows: list[Seen], request: PageRequest) -> Page[Seen]:
    more = len(rows) > request.size
    rows = rows[: request.size]
    if request.first is None:
        return Page(rows[::-1], has_next=request.before is not None, has_previous=more)
    return Page(rows, has_next=more, has_previous=request.after is not None)
