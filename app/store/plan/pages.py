"""Renders a page of a list as JSON in SQL, selecting its window once for all its fields."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from sqlalchemy import case, func, select

from app.store import keyset_windows
from app.store.pages import Position, SortKey, sort_key
from app.store.plan import page_rows
from app.store.plan.dialects import NULL, Sql, boolean, concat, json_object, number, placeholder, text
from app.store.plan.lists import LISTS
from app.store.plan.page_rows import PageQuery, PageResult
from app.store.plan.placeholders import CURSOR, WATCH_CURSOR
from app.store.plan.scope import Rows, Scope
from app.store.plan.tree import Constant, Leaf, Nested, PagePart, Part, Parts
from app.store.plan.windows import Window, symbolic

# Renders an object of a kind. It is a parameter because objects contain pages, and pages contain objects.
Render = Callable[[str, Parts, Scope], Sql]


def render_page(kind: str, part: PagePart, scope: Scope, render: Render) -> Sql:
    """Render a connection. Owners and consumers read the members of an image through different access paths."""
    depends_on_owner = (kind, part.relation) == ("image", "members") and scope.owns_image is None
    if not depends_on_owner or scope.context.viewer.is_operator:
        return _connection(kind, part, scope, render)
    own, other = scope.with_own_image(), scope.with_image_of_another()
    by_owner, by_another = (_connection(kind, part, side, render) for side in (own, other))
    return case((scope.rights.is_producer(), by_owner), else_=by_another)


def _connection(kind: str, part: PagePart, scope: Scope, render: Render) -> Sql:
    window = symbolic(part.selector, cast(Window, scope.context.selectors[part.selector]))
    rows = LISTS[kind, part.relation](scope, window.row_filter)
    items = [one for one in part.parts if isinstance(one, Nested) and one.relation in ITEMS]
    query = PageQuery(rows, window.page, scope, items, page_rows.facts(part.parts, items))
    result = page_rows.select_page(query, {relation: partial(item, render) for relation, item in ITEMS.items()})
    whole = _object(part.parts, result)
    # Without columns, no field depends on the rows.
    return select(whole).select_from(result.row).scalar_subquery() if result.row.c else whole


def _object(parts: Parts, result: PageResult) -> Sql:
    return json_object((part.key, _value(part, result)) for part in parts)


def _value(part: Part, result: PageResult) -> Sql:
    if isinstance(part, Constant):
        return text(f'"{part.word}"')
    if isinstance(part, Leaf):
        return FACTS[part.column](result)
    assert isinstance(part, Nested)
    if part.relation not in ITEMS:
        return _object(part.parts, result)
    return concat(text("["), func.coalesce(result.items(part), text("")), text("]"))


def _node(render: Render, parts: Parts, rows: Rows) -> Sql:
    return render(rows.kind, parts, rows.scope)


def _edge(render: Render, parts: Parts, rows: Rows) -> Sql:
    def value(part: Part) -> Sql:
        if isinstance(part, Constant):
            return text(f'"{part.word}"')
        if isinstance(part, Leaf):
            return _cursor(sort_key(rows.table), rows.scope)
        return _node(render, cast(Nested, part).parts, rows)

    return json_object((part.key, value(part)) for part in parts)


def _cursor(position: SortKey | Position, scope: Scope) -> Sql:
    return placeholder(CURSOR, scope.context.dialect.time(cast(Any, position.created_at)), cast(Any, position.id))


def _total(result: PageResult) -> Sql:
    rows, outside = result.query.rows, result.query.outside
    every = keyset_windows.every(rows.paths, sort_key(rows.table), within=outside.correlate).subquery()
    return number(select(func.count()).select_from(every).scalar_subquery())


def _has_next(result: PageResult) -> Sql:
    window = result.query.window
    return _is_more(result) if result.query.is_forward else text("true" if window.before is not None else "false")


def _has_previous(result: PageResult) -> Sql:
    window = result.query.window
    return text("true" if window.after is not None else "false") if result.query.is_forward else _is_more(result)


def _is_more(result: PageResult) -> Sql:
    """Whether the window has a row beyond the page."""
    query, window = result.query, result.query.window
    left = window._replace(after=result.end) if query.is_forward else window._replace(before=result.start)
    behind = page_rows.first_keys(query._replace(outside=query.outside.selecting_from(result.row)), left, 1)
    return boolean(select(func.count()).select_from(behind).scalar_subquery() > 0)


ITEMS: dict[str, Callable[[Render, Parts, Rows], Sql]] = {"nodes": _node, "edges": _edge}
FACTS: dict[str, Callable[[PageResult], Sql]] = {
    "total_count": _total,
    # The caller replaces it with an encrypted cursor.
    "watch_cursor": lambda _: placeholder(WATCH_CURSOR),
    "has_next_page": _has_next,
    "has_previous_page": _has_previous,
    "start_cursor": lambda result: func.coalesce(_cursor(result.start, result.query.outside), NULL),
    "end_cursor": lambda result: func.coalesce(_cursor(result.end, result.query.outside), NULL),
}
