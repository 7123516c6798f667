"""A page of a list, as JSON in SQL: what of it is asked for, each part a small select of its own."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from sqlalchemy import case, func, literal, select

from app.store import pages
from app.store.pages import PageRequest
from app.store.plan import objects
from app.store.plan.dialects import NULL, Sql, concatenated, number, plain, text
from app.store.plan.lists import LISTS
from app.store.plan.scope import Rows, Scope
from app.store.plan.tree import Fixed, Leaf, One, Page, Part, Parts
from app.store.plan.windows import Window, symbolic


class Asked(NamedTuple):
    """The rows of a page, and its window with names for values."""

    rows: Rows
    page: PageRequest
    outside: Scope


def shown(kind: str, part: Page, scope: Scope) -> Sql:
    """A connection, as JSON."""
    window = symbolic(part.place, cast(Window, scope.of.places[part.place]))
    asked = Asked(LISTS[kind, part.relation](scope, window.wanted), window.page, scope)
    return objects.braces((one.key, _value(one, asked)) for one in part.parts)


def _value(part: Part, asked: Asked) -> Sql:
    if isinstance(part, Fixed):
        return text(f'"{part.word}"')
    if isinstance(part, Leaf):
        return FACTS[part.column](asked)
    assert isinstance(part, One)
    return CONTENTS[part.relation](part.parts, asked)


def _nodes(parts: Parts, asked: Asked) -> Sql:
    return _list(objects.shown(asked.rows.kind, parts, asked.rows.scope), asked)


def _edges(parts: Parts, asked: Asked) -> Sql:
    def value(part: Part) -> Sql:
        if isinstance(part, Fixed):
            return text(f'"{part.word}"')
        if isinstance(part, Leaf):
            return _cursor(asked)
        return objects.shown(asked.rows.kind, cast(One, part).parts, asked.rows.scope)

    return _list(objects.braces((part.key, value(part)) for part in parts), asked)


def _list(item: Sql, asked: Asked) -> Sql:
    """Items of the page, newest first, in brackets."""
    key = asked.rows.key
    page = _page(asked, item.label("item"), key.created_at.label("at"), key.id.label("id")).subquery()
    if asked.page.first is None:
        page = select(page).order_by(page.c.at.desc(), page.c.id.desc()).subquery()
    joined = asked.rows.scope.of.dialect.joined(page.c.item, (page.c.at.desc(), page.c.id.desc()))
    listed = asked.outside.inside(select(joined).select_from(page)).scalar_subquery()
    return concatenated(text("["), func.coalesce(listed, text("")), text("]"))


def _page(asked: Asked, *columns: Any) -> Any:
    return _window(asked, *columns).limit(asked.page.first if asked.page.first is not None else asked.page.last)


def _window(asked: Asked, *columns: Any) -> Any:
    rows = asked.rows
    found: Any = select(*columns).select_from(rows.source).where(*rows.where, *pages.between(rows.key, asked.page))
    return asked.outside.inside(found.order_by(*pages.order(rows.key, asked.page)))


def _cursor(asked: Asked) -> Sql:
    key = asked.rows.key
    return plain(asked.rows.scope.of.dialect.cursor(key.created_at, key.id))


def _total(asked: Asked) -> Sql:
    rows = asked.rows
    counted = select(func.count()).select_from(rows.source).where(*rows.where)
    return number(asked.outside.inside(counted).scalar_subquery())


def _has_more(asked: Asked) -> Sql:
    size = asked.page.first if asked.page.first is not None else asked.page.last
    more = _window(asked, literal(1).label("one")).limit(1).offset(cast(Any, size)).subquery()
    found = asked.outside.inside(select(func.count()).select_from(more)).scalar_subquery()
    return case((found > 0, text("true")), else_=text("false"))


def _given(position: Any) -> Sql:
    return text("true" if position is not None else "false")


def _end(newest: bool) -> Callable[[Asked], Sql]:
    def cursor(asked: Asked) -> Sql:
        key = asked.rows.key
        page = _page(asked, _cursor(asked).label("place"), key.created_at.label("at"), key.id.label("id")).subquery()
        order = (page.c.at.desc(), page.c.id.desc()) if newest else (page.c.at.asc(), page.c.id.asc())
        first = asked.outside.inside(select(page.c.place).order_by(*order).limit(1))
        return func.coalesce(first.scalar_subquery(), NULL)

    return cursor


FACTS: dict[str, Callable[[Asked], Sql]] = {
    "total_count": _total,
    # Sealed by who asked for it: a mark that no text of a row can hold stands in its place.
    "watch_cursor": lambda asked: plain(asked.rows.scope.of.dialect.mark()),
    "has_next_page": lambda asked: _has_more(asked) if asked.page.first is not None else _given(asked.page.before),
    "has_previous_page": lambda asked: _has_more(asked) if asked.page.first is None else _given(asked.page.after),
    "start_cursor": _end(newest=True),
    "end_cursor": _end(newest=False),
}


def _place(parts: Parts, asked: Asked) -> Sql:
    return objects.braces((part.key, _value(part, asked)) for part in parts)


CONTENTS: dict[str, Callable[[Parts, Asked], Sql]] = {"nodes": _nodes, "edges": _edges, "page_info": _place}
