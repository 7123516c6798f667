"""Compiles a plan into one statement, which returns the response as text.

It also returns the log position in the same snapshot, if a watch is to start there.
"""

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import select

from app.model import EventHead
from app.store.plan import objects
from app.store.plan.dialects import ZERO, Dialect, Sql
from app.store.plan.scope import Scope, StatementContext
from app.store.plan.tree import ById, Leaf, Nested, PagePart, Parts
from app.store.plan.windows import Selector
from app.store.rights import any_viewer

_LOG: Any = cast(Any, EventHead).__table__


@dataclass(frozen=True)
class Statement:
    """SQL that serves all operators or all other viewers, with any values of selectors of the same shape."""

    sql: str


def compile_statement(parts: Parts, is_operator: bool, selectors: tuple[Selector, ...], dialect: Dialect) -> Statement:
    whole = objects.root(parts, Scope(StatementContext(any_viewer(is_operator), dialect, selectors)))
    seq = _seq() if _needs_log_position(parts) else ZERO
    query: Any = dialect.within_size(select(whole.label("whole"), seq.label("seq")))
    return Statement(str(query.compile(dialect=dialect.compiler, compile_kwargs={"render_postcompile": True})))


def _seq() -> Sql:
    return select(_LOG.c.seq).scalar_subquery()


def _needs_log_position(parts: Parts) -> bool:
    for part in parts:
        if isinstance(part, Leaf) and part.column == "watch_cursor":
            return True
        nested = [part.parts] if isinstance(part, (Nested, PagePart)) else []
        nested += [found for _, found in part.parts_by_kind] if isinstance(part, ById) else []
        if any(map(_needs_log_position, nested)):
            return True
    return False
