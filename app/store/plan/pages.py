"""A page of a list, as JSON in SQL. Its window is looked for once, whatever of the page is asked for."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

from sqlalchemy import CTE, FromClause, Select, func, select

from app.store import pages
from app.store.pages import PageRequest, SortKey, sort_key
from app.store.plan import objects
from app.store.plan.dialects import NULL, Sql, concatenated, marked, number, text, truth
from app.store.plan.lists import LISTS
from app.store.plan.marks import CURSOR, WATCH_CURSOR
from app.store.plan.scope import Rows, Scope
from app.store.plan.tree import Fixed, Leaf, One, Page, Part, Parts
from app.store.plan.windows import Window, symbolic
from app.store.ways import Driven


class Asked(NamedTuple):
    """The rows of a list, the window with names for values, where it stands, and the items that are asked for."""

    rows: Rows
    window: PageRequest
    outside: Scope
    items: list[One]

    @property
    def size(self) -> Any:
        return self.window.first if self.window.first is not None else self.window.last


class Found(NamedTuple):
    """What was found in the window: the page, or, when it is looked at more than once, the page and one row more."""

    asked: Asked
    rows: FromClause


def shown(kind: str, part: Page, scope: Scope) -> Sql:
    """A connection, as JSON."""
    window = symbolic(part.place, cast(Window, scope.of.places[part.place]))
    items = [one for one in part.parts if isinstance(one, One) and one.relation in ITEMS]
    asked = Asked(LISTS[kind, part.relation](scope, window.wanted), window.page, scope, items)
    looks = list(_looks(part.parts, window.page))
    if looks in ([], ["nodes"], ["edges"]):
        return _braces(part.parts, Found(asked, _found(asked, asked.size).subquery()))
    kept = _found(asked, asked.size + 1).cte(f"page_{part.place}", nesting=True).prefix_with("MATERIALIZED")
    whole = select(_braces(part.parts, Found(asked, kept)))
    return whole.add_cte(kept, nest_here=True).scalar_subquery()


def _looks(parts: Parts, window: PageRequest) -> Iterator[str]:
    """What of the page is seen in the rows of its window."""
    more = "has_next_page" if window.first is not None else "has_previous_page"
    for part in parts:
        if isinstance(part, Leaf) and part.column in (more, "start_cursor", "end_cursor"):
            yield part.column
        elif isinstance(part, One) and part.relation in ITEMS:
            yield part.relation
        elif isinstance(part, One):
            yield from _looks(part.parts, window)


def _found(asked: Asked, size: Any) -> Select[Any]:
    """The first rows of the window: an item for each list that is asked for, and their places."""
    rows, key = asked.rows, sort_key(asked.rows.table)
    items = [ITEMS[one.relation](one.parts, rows).label(f"item_{number}") for number, one in enumerate(asked.items)]
    found: Any = select(*items, key.created_at.label("created_at"), key.id.label("id"))
    if len(rows.ways) == 1:
        [way] = rows.ways
        found = found.select_from(way.rows).where(*way.where, *pages.between(key, asked.window)).limit(size)
    else:
        places = pages.first_of(rows.ways, key, asked.window, size, asked.outside.inside)
        found = found.select_from(Driven(places, rows.table, key.id == places.c.id))
    return asked.outside.inside(found.order_by(*pages.order(key, asked.window)))


def _braces(parts: Parts, found: Found) -> Sql:
    return objects.braces((part.key, _value(part, found)) for part in parts)


def _value(part: Part, found: Found) -> Sql:
    if isinstance(part, Fixed):
        return text(f'"{part.word}"')
    if isinstance(part, Leaf):
        return FACTS[part.column](found)
    assert isinstance(part, One)
    return _list(part, found) if part.relation in ITEMS else _braces(part.parts, found)


def _node(parts: Parts, rows: Rows) -> Sql:
    return objects.shown(rows.kind, parts, rows.scope)


def _edge(parts: Parts, rows: Rows) -> Sql:
    def value(part: Part) -> Sql:
        if isinstance(part, Fixed):
            return text(f'"{part.word}"')
        return (
            _cursor(sort_key(rows.table), rows.scope) if isinstance(part, Leaf) else _node(cast(One, part).parts, rows)
        )

    return objects.braces((part.key, value(part)) for part in parts)


def _cursor(place: SortKey, scope: Scope) -> Sql:
    return marked(CURSOR, scope.of.dialect.time(place.created_at), place.id)


def _list(part: One, found: Found) -> Sql:
    """Items of the page, newest first, in brackets."""
    item = f"item_{found.asked.items.index(part)}"
    page = _page(found, item)
    if found.asked.window.first is None:
        page = select(page).order_by(page.c.created_at.desc(), page.c.id.desc()).subquery()
    joined = found.asked.outside.of.dialect.joined(page.c[item], (page.c.created_at.desc(), page.c.id.desc()))
    listed = found.asked.outside.inside(select(joined).select_from(page)).scalar_subquery()
    return concatenated(text("["), func.coalesce(listed, text("")), text("]"))


def _page(found: Found, *columns: str) -> FromClause:
    """The rows of the page, in the order of the window."""
    if not isinstance(found.rows, CTE):
        return found.rows
    kept, place = found.rows.c, SortKey(found.rows.c.created_at, found.rows.c.id)
    page = select(*(kept[name] for name in columns), *place).order_by(*pages.order(place, found.asked.window))
    return page.limit(found.asked.size).subquery()


def _total(found: Found) -> Sql:
    rows, outside = found.asked.rows, found.asked.outside
    every = pages.every(rows.ways, sort_key(rows.table), within=outside.inside).subquery()
    return number(select(func.count()).select_from(every).scalar_subquery())


def _has_more(found: Found) -> Sql:
    return truth(select(func.count()).select_from(found.rows).scalar_subquery() > found.asked.size)


def _given(position: Any) -> Sql:
    return text("true" if position is not None else "false")


def _end(newest: bool) -> Callable[[Found], Sql]:
    def cursor(found: Found) -> Sql:
        page = _page(found)
        place = SortKey(page.c.created_at, page.c.id)
        order = (place.created_at.desc(), place.id.desc()) if newest else (place.created_at.asc(), place.id.asc())
        end = select(_cursor(place, found.asked.outside)).select_from(page).order_by(*order).limit(1)
        return func.coalesce(end.scalar_subquery(), NULL)

    return cursor


def _has_next(found: Found) -> Sql:
    window = found.asked.window
    return _has_more(found) if window.first is not None else _given(window.before)


def _has_previous(found: Found) -> Sql:
    window = found.asked.window
    return _has_more(found) if window.first is None else _given(window.after)


ITEMS: dict[str, Callable[[Parts, Rows], Sql]] = {"nodes": _node, "edges": _edge}
FACTS: dict[str, Callable[[Found], Sql]] = {
    "total_count": _total,
    # Sealed by who asked for it.
    "watch_cursor": lambda _: marked(WATCH_CURSOR),
    "has_next_page": _has_next,
    "has_previous_page": _has_previous,
    "start_cursor": _end(newest=True),
    "end_cursor": _end(newest=False),
}
