"""A plan as one statement: the whole answer is one text, and beside it stands where the log is in the same view."""

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import select

from app.model import EventHead
from app.store.plan import objects
from app.store.plan.dialects import Dialect
from app.store.plan.scope import Scope, Surroundings
from app.store.plan.tree import Parts
from app.store.plan.windows import Place
from app.store.rights import any_viewer

_LOG: Any = cast(Any, EventHead).__table__


@dataclass(frozen=True)
class Statement:
    """SQL for every viewer with the same reach and windows of the same shape."""

    sql: str


def statement(parts: Parts, is_operator: bool, places: tuple[Place, ...], dialect: Dialect) -> Statement:
    whole = objects.shown("root", parts, Scope(Surroundings(any_viewer(is_operator), dialect, places)))
    asked = select(whole, select(_LOG.c.seq).scalar_subquery())
    return Statement(str(asked.compile(dialect=dialect.compiler, compile_kwargs={"render_postcompile": True})))
