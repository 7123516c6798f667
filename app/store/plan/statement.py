"""A plan as one statement: the whole answer is one text.

Beside it stands where the log is in the same view, if a watch is to start there.
"""

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import select

from app.model import EventHead
from app.store.plan import objects
from app.store.plan.dialects import ZERO, Dialect, Sql
from app.store.plan.scope import Scope, Surroundings
from app.store.plan.tree import ById, Leaf, One, Page, Parts
from app.store.plan.windows import Place
from app.store.rights import any_viewer

_LOG: Any = cast(Any, EventHead).__table__


@dataclass(frozen=True)
class Statement:
    """SQL for every viewer with the same reach and windows of the same shape."""

    sql: str


def statement(parts: Parts, is_operator: bool, places: tuple[Place, ...], dialect: Dialect) -> Statement:
    whole = objects.root(parts, Scope(Surroundings(any_viewer(is_operator), dialect, places)))
    seq = _seq() if _asks_where_the_log_is(parts) else ZERO
    asked: Any = dialect.bounded(select(whole.label("whole"), seq.label("seq")))
    return Statement(str(asked.compile(dialect=dialect.compiler, compile_kwargs={"render_postcompile": True})))


def _seq() -> Sql:
    return select(_LOG.c.seq).scalar_subquery()


def _asks_where_the_log_is(parts: Parts) -> bool:
    for part in parts:
        if isinstance(part, Leaf) and part.column == "watch_cursor":
            return True
        inner = [part.parts] if isinstance(part, (One, Page)) else []
        inner += [found for _, found in part.of_kind] if isinstance(part, ById) else []
        if any(map(_asks_where_the_log_is, inner)):
            return True
    return False
