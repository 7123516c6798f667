"""Keyset pagination: newest first, by (created_at, id), which never change, so inserts move no page."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, FromClause, Integer, Select, Text, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from app.store.engines.prepared import slot

Seen = TypeVar("Seen")
# The items of a page: at most, and when the caller does not say.
MAX_PAGE, DEFAULT_PAGE = 100, 20


class Position(NamedTuple):
    """A place in a list that is sorted by creation, newest first."""

    created_at: datetime
    id: str


_SOMEWHERE = Position(datetime.min, "")


class PageRequest(NamedTuple):
    """A window on a list: `first` from its start or `last` from its end, between two positions."""

    first: int | None = None
    last: int | None = None
    after: Position | None = None
    before: Position | None = None

    @property
    def size(self) -> int:
        sizes = (one for one in (self.first, self.last) if one is not None)
        return next(sizes, 0)

    @property
    def shape(self) -> "PageRequest":
        """The request without its values: requests of one shape share a prepared statement."""
        first, last = (None if one is None else 1 for one in (self.first, self.last))
        after, before = (one and _SOMEWHERE for one in (self.after, self.before))
        return PageRequest(first, last, after, before)

    def slots(self, created_at: TypeEngine[Any]) -> Any:
        """The request with slots for its values."""
        size: Any = slot("page_size", Integer())

        def position(name: str) -> Any:
            at: Any = slot(f"{name}_at", created_at)
            id: Any = slot(f"{name}_id", Text())
            return Position(at, id)

        after, before = (getattr(self, name) and position(name) for name in ("after", "before"))
        return PageRequest(self.first and size, self.last and size, after, before)

    @property
    def values(self) -> dict[str, Any]:
        """The values of the slots."""
        named = {"after": self.after, "before": self.before}
        positions = {name: position for name, position in named.items() if position is not None}
        at = {f"{name}_at": position.created_at for name, position in positions.items()}
        return {"page_size": self.size, **at, **{f"{name}_id": one.id for name, one in positions.items()}}


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
    return page([], request)


async def page_of(
    conn: AsyncConnection,
    statement: Select[Any],
    key: SortKey,
    request: PageRequest,
    make: Callable[[Sequence[Any]], Seen],
) -> Page[Seen]:
    """One window of the statement's rows."""
    window = statement.where(*between(key, request)).order_by(*order(key, request)).limit(request.size + 1)
    return page([make(row) for row in await conn.execute(window)], request)


async def pages_by_parent(
    conn: AsyncConnection,
    statement: Select[Any],
    key: SortKey,
    parent: Any,
    request: PageRequest,
    make: Callable[[Sequence[Any]], Seen],
) -> dict[str, Page[Seen]]:
    """One page for each of many parents, in one statement. Parents without rows are left out."""
    return by_parent((await conn.execute(windows_by_parent(statement, key, parent, request))).all(), request, make)


def windows_by_parent(statement: Select[Any], key: SortKey, parent: Any, request: PageRequest) -> Select[Any]:
    """The rows of one window for each parent, each followed by its parent and its rank."""
    rank = func.row_number().over(partition_by=parent, order_by=order(key, request)).label("page_rank")
    ranked = statement.add_columns(parent.label("page_parent"), rank).where(*between(key, request)).subquery()
    return select(ranked).where(ranked.c.page_rank <= request.size + 1).order_by(ranked.c.page_rank)


def by_parent(
    rows: Iterable[Sequence[Any]], request: PageRequest, make: Callable[[Sequence[Any]], Seen]
) -> dict[str, Page[Seen]]:
    """The pages of the rows that `windows_by_parent` selects."""
    rows_of: dict[str, list[Sequence[Any]]] = {}
    for row in rows:
        rows_of.setdefault(row[-2], []).append(row)
    return {of: page([make(row[:-2]) for row in rows], request) for of, rows in rows_of.items()}


async def count_of(conn: AsyncConnection, statement: Select[Any]) -> int:
    """The number of rows that the statement selects, over all pages."""
    total = await conn.scalar(select(func.count()).select_from(statement.subquery()))
    return total or 0


async def counts_by_parent(conn: AsyncConnection, statement: Select[Any], parent: Any) -> dict[str, int]:
    """The number of rows of each of many parents, in one statement."""
    grouped = statement.with_only_columns(parent, func.count()).group_by(parent)
    return {row[0]: row[1] for row in await conn.execute(grouped)}


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


def page(rows: list[Seen], request: PageRequest) -> Page[Seen]:
    more = len(rows) > request.size
    rows = rows[: request.size]
    if request.first is None:
        return Page(rows[::-1], has_next=request.before is not None, has_previous=more)
    return Page(rows, has_next=more, has_previous=request.after is not None)
