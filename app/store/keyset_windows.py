"""The places of rows that are found by ways: the first of a window, or all of them."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, FromClause, Select, Subquery, func, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.access_paths import Driven, Way
from app.store.pages import MAX_PAGE, Page, PageRequest, Seen, SortKey, between, order, page, sort_key

Within = Callable[[Select[Any]], Select[Any]]


class Limits(Protocol):
    """How the engines find the first rows of several ways."""

    def way(self, rows: Any, order: Any) -> Any: ...
    def window(self, rows: Any, size: Any) -> Any: ...


class Lazily:
    """Windows for SQLite, which takes from each way as many rows as it needs."""

    def way(self, rows: Any, order: Any) -> Any:
        return rows

    def window(self, rows: Any, size: Any) -> Any:
        return rows.limit(size)


class Bounded:
    """Windows for PostgreSQL, which plans once for all sizes, and would reckon with a tenth of the table."""

    def way(self, rows: Any, order: Any) -> Any:
        return select(self._largest(rows.order_by(*order)))

    def window(self, rows: Any, size: Any) -> Any:
        return select(self._largest(rows)).limit(size)

    def _largest(self, rows: Any) -> Subquery:
        # A page, and the row behind it.
        return rows.limit(literal_column(str(MAX_PAGE + 1))).subquery()


LAZILY: Limits = Lazily()
BOUNDED: Limits = Bounded()


async def page_of(
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
    return page([make(row) for row in await conn.execute(window)], request)


async def count_of(conn: AsyncConnection, ways: Sequence[Way], key: SortKey) -> int:
    return await conn.scalar(select(func.count()).select_from(every(ways, key).subquery())) or 0


def first_of(
    ways: Sequence[Way],
    key: SortKey,
    request: PageRequest,
    size: Any,
    within: Within = lambda found: found,
    limits: Limits = BOUNDED,
) -> Subquery:
    """The places of the first rows of a window, by whichever ways they are found."""
    found = _places(ways, key, between(key, request), within)
    if len(found) > 1:
        found = [union_all(*(limits.way(one, order(key, request)) for one in found))]
    [rows] = found
    place = SortKey(rows.selected_columns.created_at, rows.selected_columns.id)
    return limits.window(rows.order_by(*order(place, request)), size).subquery()


def every(ways: Sequence[Way], key: SortKey, within: Within = lambda found: found) -> Any:
    """The places of all rows that are found by the ways. No row may be found by two of them."""
    found = _places(ways, key, (), within)
    return found[0] if len(found) == 1 else union_all(*found)


def _places(ways: Sequence[Way], key: SortKey, bounds: Collection[ColumnElement[bool]], within: Within) -> list[Any]:
    statement: Any = select(key.created_at.label("created_at"), key.id.label("id"))
    return [within(statement.select_from(way.rows).where(*way.where, *bounds)) for way in ways]
