"""The rows of a page, and the one row that they make: all items in one text, and the places of the ends."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import FromClause, select

from app.store import keyset_windows, pages
from app.store.pages import PageRequest, Position, sort_key
from app.store.plan.dialects import Dialect, Sql
from app.store.plan.scope import Rows, Scope
from app.store.plan.tree import Leaf, One, Parts

Item = Callable[[Parts, Rows], Sql]


class Asked(NamedTuple):
    """The rows of a list, the window with names for values, where it stands, and what of the page is asked for."""

    rows: Rows
    window: PageRequest
    outside: Scope
    items: list[One]
    facts: set[str]

    @property
    def is_forward(self) -> bool:
        return self.window.first is not None


class Found(NamedTuple):
    """The one row of a page, of which each column costs at every row, and is there when it is asked for."""

    asked: Asked
    row: FromClause

    @property
    def start(self) -> Position:
        return self._place("start")

    @property
    def end(self) -> Position:
        return self._place("end")

    def items(self, of: One) -> Sql:
        return self.row.c[_name(self.asked.items.index(of))]

    def _place(self, end: str) -> Position:
        return _dialect(self.asked).place(tuple(column for column in self.row.c if column.name.startswith(end)))


def facts(parts: Parts, items: list[One]) -> set[str]:
    """What is asked about the page, in `pageInfo` and beside it."""
    found = {part.column for part in parts if isinstance(part, Leaf)}
    return found.union(*(facts(part.parts, []) for part in parts if isinstance(part, One) and part not in items))


def found(asked: Asked, item_of: dict[str, Item]) -> Found:
    rows = _newest_first(asked, [item_of[one.relation](one.parts, asked.rows) for one in asked.items])
    return Found(asked, select(*_items(rows, asked), *_ends(rows.c, asked)).subquery())


def _items(rows: FromClause, asked: Asked) -> Iterator[Any]:
    order = rows.c.created_at.desc(), rows.c.id.desc()
    for number in range(len(asked.items)):
        yield _dialect(asked).joined(rows.c[_name(number)], order).label(_name(number))


def _ends(rows: Any, asked: Asked) -> Iterator[Any]:
    if "start_cursor" in asked.facts or ("has_previous_page" in asked.facts and not asked.is_forward):
        yield from _named("start", _dialect(asked).newest(rows.created_at, rows.id))
    if "end_cursor" in asked.facts or ("has_next_page" in asked.facts and asked.is_forward):
        yield from _named("end", _dialect(asked).oldest(rows.created_at, rows.id))


def _named(end: str, columns: Iterable[Sql]) -> Iterator[Any]:
    return (column.label(f"{end}_{number}") for number, column in enumerate(columns))


def _newest_first(asked: Asked, items: list[Sql]) -> FromClause:
    rows = _window(asked, items)
    if asked.is_forward:
        return rows
    return select(rows).order_by(rows.c.created_at.desc(), rows.c.id.desc()).subquery()


def _window(asked: Asked, items: list[Sql]) -> FromClause:
    rows, key, window = asked.rows, sort_key(asked.rows.table), asked.window
    size: Any = window.first if asked.is_forward else window.last
    named = [item.label(_name(number)) for number, item in enumerate(items)]
    statement: Any = select(*named, key.created_at.label("created_at"), key.id.label("id"))
    if rows.is_sorted:
        [path] = rows.paths
        statement = statement.select_from(path.rows).where(*path.where, *pages.between(key, window))
    else:
        statement = statement.select_from(rows.at(first_places(asked, window, size)))
    found = asked.outside.inside(statement.order_by(*pages.order(key, window)))
    return (_dialect(asked).limits.window(found, size) if rows.is_sorted else found).subquery()


def first_places(asked: Asked, window: PageRequest, size: Any) -> FromClause:
    key, limits = sort_key(asked.rows.table), _dialect(asked).limits
    return keyset_windows.first_of(asked.rows.paths, key, window, size, asked.outside.inside, limits)


def _dialect(asked: Asked) -> Dialect:
    return asked.outside.of.dialect


def _name(number: int) -> str:
    return f"item_{number}"
