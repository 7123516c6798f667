"""Keyset windows: the sort keys of the rows that several access paths find, either a page of them or all."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, FromClause, Select, Subquery, func, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.access_paths import AccessPath, OrderedJoin
from app.store.pages import MAX_PAGE, Page, PageRequest, Seen, SortKey, between, order, page, sort_key

Within = Callable[[Select[Any]], Select[Any]]


class RowLimits(Protocol):
    """An engine's way of limiting the rows of several access paths."""

    def path(self, rows: Any, order: Any) -> Any: ...
    def window(self, rows: Any, size: Any) -> Any: ...


class Lazy:
    """Windows for SQLite, which merges the paths and reads only as many rows as it needs."""

    def path(self, rows: Any, order: Any) -> Any:
        return rows

    def window(self, rows: Any, size: Any) -> Any:
        return rows.limit(size)


class Bounded:
    """Windows for PostgreSQL, whose generic plan would assume that a tenth of the table is read."""

    def path(self, rows: Any, order: Any) -> Any:
        return select(self._largest(rows.order_by(*order)))

    def window(self, rows: Any, size: Any) -> Any:
        return select(self._largest(rows)).limit(size)

    def _largest(self, rows: Any) -> Subquery:
        # A page and the row after it.
        return rows.limit(literal_column(str(MAX_PAGE + 1))).subquery()


LAZY: RowLimits = Lazy()
BOUNDED: RowLimits = Bounded()


async def page_of(
    conn: AsyncConnection,
    statement: Select[Any],
    paths: Sequence[AccessPath],
    table: FromClause,
    request: PageRequest,
    make: Callable[[Sequence[Any]], Seen],
) -> Page[Seen]:
    """Read one page of the table's rows that the paths find."""
    key = sort_key(table)
    found = first_of(paths, key, request, request.size + 1)
    window = statement.select_from(OrderedJoin(found, table, key.id == found.c.id)).order_by(*order(key, request))
    return page([make(row) for row in await conn.execute(window)], request)


async def count_of(conn: AsyncConnection, paths: Sequence[AccessPath], key: SortKey) -> int:
    return await conn.scalar(select(func.count()).select_from(every(paths, key).subquery())) or 0


def first_of(
    paths: Sequence[AccessPath],
    key: SortKey,
    request: PageRequest,
    size: Any,
    within: Within = lambda found: found,
    limits: RowLimits = BOUNDED,
) -> Subquery:
    """The sort keys of the first rows of a window, whichever paths find them."""
    found = _sort_keys(paths, key, between(key, request), within)
    if len(found) > 1:
        found = [union_all(*(limits.path(one, order(key, request)) for one in found))]
    [rows] = found
    found_key = SortKey(rows.selected_columns.created_at, rows.selected_columns.id)
    return limits.window(rows.order_by(*order(found_key, request)), size).subquery()


def every(paths: Sequence[AccessPath], key: SortKey, within: Within = lambda found: found) -> Any:
    """The sort keys of all rows that the paths find. The paths must be disjoint."""
    found = _sort_keys(paths, key, (), within)
    return found[0] if len(found) == 1 else union_all(*found)


def _sort_keys(
    paths: Sequence[AccessPath], key: SortKey, bounds: Collection[ColumnElement[bool]], within: Within
) -> list[Any]:
    statement: Any = select(key.created_at.label("created_at"), key.id.label("id"))
    return [within(statement.select_from(path.rows).where(*path.where, *bounds)) for path in paths]
