"""Selects the rows of a page, and aggregates them into one row with all items and the positions of both ends."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import FromClause, select

from app.store import keyset_windows, pages
from app.store.pages import PageRequest, Position, sort_key
from app.store.plan.dialects import Dialect, Sql
from app.store.plan.scope import Rows, Scope
from app.store.plan.tree import Leaf, Nested, Parts

RenderItem = Callable[[Parts, Rows], Sql]


class PageQuery(NamedTuple):
    """A page to select: its list, its window with bound parameters, the enclosing scope, and the selected fields."""

    rows: Rows
    window: PageRequest
    outside: Scope
    items: list[Nested]
    facts: set[str]

    @property
    def is_forward(self) -> bool:
        return self.window.first is not None


class PageResult(NamedTuple):
    """The aggregated row of a page. It only has the columns that the selected fields need."""

    query: PageQuery
    row: FromClause

    @property
    def start(self) -> Position:
        return self._position("start")

    @property
    def end(self) -> Position:
        return self._position("end")

    def items(self, of: Nested) -> Sql:
        return self.row.c[_name(self.query.items.index(of))]

    def _position(self, end: str) -> Position:
        return _dialect(self.query).position(tuple(column for column in self.row.c if column.name.startswith(end)))


def facts(parts: Parts, items: list[Nested]) -> set[str]:
    """The selected fields of the page, including those inside `pageInfo`."""
    found = {part.column for part in parts if isinstance(part, Leaf)}
    return found.union(*(facts(part.parts, []) for part in parts if isinstance(part, Nested) and part not in items))


def select_page(query: PageQuery, renderers: dict[str, RenderItem]) -> PageResult:
    rows = _newest_first(query, [renderers[one.relation](one.parts, query.rows) for one in query.items])
    return PageResult(query, select(*_items(rows, query), *_ends(rows.c, query)).subquery())


def _items(rows: FromClause, query: PageQuery) -> Iterator[Any]:
    order = rows.c.created_at.desc(), rows.c.id.desc()
    for number in range(len(query.items)):
        yield _dialect(query).aggregate(rows.c[_name(number)], order).label(_name(number))


def _ends(rows: Any, query: PageQuery) -> Iterator[Any]:
    if "start_cursor" in query.facts or ("has_previous_page" in query.facts and not query.is_forward):
        yield from _labelled("start", _dialect(query).newest(rows.created_at, rows.id))
    if "end_cursor" in query.facts or ("has_next_page" in query.facts and query.is_forward):
        yield from _labelled("end", _dialect(query).oldest(rows.created_at, rows.id))


def _labelled(end: str, columns: Iterable[Sql]) -> Iterator[Any]:
    return (column.label(f"{end}_{number}") for number, column in enumerate(columns))


def _newest_first(query: PageQuery, items: list[Sql]) -> FromClause:
    rows = _window(query, items)
    if query.is_forward:
        return rows
    return select(rows).order_by(rows.c.created_at.desc(), rows.c.id.desc()).subquery()


def _window(query: PageQuery, items: list[Sql]) -> FromClause:
    rows, key, window = query.rows, sort_key(query.rows.table), query.window
    size: Any = window.first if query.is_forward else window.last
    named = [item.label(_name(number)) for number, item in enumerate(items)]
    statement: Any = select(*named, key.created_at.label("created_at"), key.id.label("id"))
    if rows.is_sorted:
        [path] = rows.paths
        statement = statement.select_from(path.rows).where(*path.where, *pages.between(key, window))
    else:
        statement = statement.select_from(rows.joined_to(first_keys(query, window, size)))
    found = query.outside.correlate(statement.order_by(*pages.order(key, window)))
    return (_dialect(query).limits.window(found, size) if rows.is_sorted else found).subquery()


def first_keys(query: PageQuery, window: PageRequest, size: Any) -> FromClause:
    key, limits = sort_key(query.rows.table), _dialect(query).limits
    return keyset_windows.first_of(query.rows.paths, key, window, size, query.outside.correlate, limits)


def _dialect(query: PageQuery) -> Dialect:
    return query.outside.context.dialect


def _name(number: int) -> str:
    return f"item_{number}"
