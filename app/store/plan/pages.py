"""A page of a list, as JSON in SQL. Its window is looked for once, whatever of the page is asked for."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from sqlalchemy import case, func, select

from app.store import keyset_windows
from app.store.pages import Position, SortKey, sort_key
from app.store.plan import page_rows
from app.store.plan.dialects import NULL, Sql, braces, concatenated, marked, number, text, truth
from app.store.plan.lists import LISTS
from app.store.plan.page_rows import Asked, Found
from app.store.plan.placeholders import CURSOR, WATCH_CURSOR
from app.store.plan.scope import Rows, Scope
from app.store.plan.tree import Fixed, Leaf, One, Page, Part, Parts
from app.store.plan.windows import Window, symbolic

# Renders an object of a kind: it is passed in, since objects have pages, and pages have objects.
Render = Callable[[str, Parts, Scope], Sql]


def shown(kind: str, part: Page, scope: Scope, render: Render) -> Sql:
    """A connection, as JSON. Owners and consumers find the members of an image in different paths."""
    hangs_on_the_owner = (kind, part.relation) == ("image", "members") and scope.owns_image is None
    if not hangs_on_the_owner or scope.of.viewer.is_operator:
        return _connection(kind, part, scope, render)
    own, other = scope.with_own_image(), scope.with_image_of_another()
    by_owner, by_another = (_connection(kind, part, side, render) for side in (own, other))
    return case((scope.rights.is_producer(), by_owner), else_=by_another)


def _connection(kind: str, part: Page, scope: Scope, render: Render) -> Sql:
    window = symbolic(part.place, cast(Window, scope.of.places[part.place]))
    rows = LISTS[kind, part.relation](scope, window.wanted)
    items = [one for one in part.parts if isinstance(one, One) and one.relation in ITEMS]
    asked = Asked(rows, window.page, scope, items, page_rows.facts(part.parts, items))
    found = page_rows.found(asked, {relation: partial(item, render) for relation, item in ITEMS.items()})
    whole = _braces(part.parts, found)
    # Without a column, nothing hangs on the rows.
    return select(whole).select_from(found.row).scalar_subquery() if found.row.c else whole


def _braces(parts: Parts, found: Found) -> Sql:
    return braces((part.key, _value(part, found)) for part in parts)


def _value(part: Part, found: Found) -> Sql:
    if isinstance(part, Fixed):
        return text(f'"{part.word}"')
    if isinstance(part, Leaf):
        return FACTS[part.column](found)
    assert isinstance(part, One)
    if part.relation not in ITEMS:
        return _braces(part.parts, found)
    return concatenated(text("["), func.coalesce(found.items(part), text("")), text("]"))


def _node(render: Render, parts: Parts, rows: Rows) -> Sql:
    return render(rows.kind, parts, rows.scope)


def _edge(render: Render, parts: Parts, rows: Rows) -> Sql:
    def value(part: Part) -> Sql:
        if isinstance(part, Fixed):
            return text(f'"{part.word}"')
        if isinstance(part, Leaf):
            return _cursor(sort_key(rows.table), rows.scope)
        return _node(render, cast(One, part).parts, rows)

    return braces((part.key, value(part)) for part in parts)


def _cursor(place: SortKey | Position, scope: Scope) -> Sql:
    return marked(CURSOR, scope.of.dialect.time(cast(Any, place.created_at)), cast(Any, place.id))


def _total(found: Found) -> Sql:
    rows, outside = found.asked.rows, found.asked.outside
    every = keyset_windows.every(rows.paths, sort_key(rows.table), within=outside.inside).subquery()
    return number(select(func.count()).select_from(every).scalar_subquery())


def _has_next(found: Found) -> Sql:
    window = found.asked.window
    return _is_more(found) if found.asked.is_forward else text("true" if window.before is not None else "false")


def _has_previous(found: Found) -> Sql:
    window = found.asked.window
    return text("true" if window.after is not None else "false") if found.asked.is_forward else _is_more(found)


def _is_more(found: Found) -> Sql:
    """Whether a row is left in the window behind the page."""
    asked, window = found.asked, found.asked.window
    left = window._replace(after=found.end) if asked.is_forward else window._replace(before=found.start)
    behind = page_rows.first_places(asked._replace(outside=asked.outside.among(found.row)), left, 1)
    return truth(select(func.count()).select_from(behind).scalar_subquery() > 0)


ITEMS: dict[str, Callable[[Render, Parts, Rows], Sql]] = {"nodes": _node, "edges": _edge}
FACTS: dict[str, Callable[[Found], Sql]] = {
    "total_count": _total,
    # Sealed by who asked for it.
    "watch_cursor": lambda _: marked(WATCH_CURSOR),
    "has_next_page": _has_next,
    "has_previous_page": _has_previous,
    "start_cursor": lambda found: func.coalesce(_cursor(found.start, found.asked.outside), NULL),
    "end_cursor": lambda found: func.coalesce(_cursor(found.end, found.asked.outside), NULL),
}
