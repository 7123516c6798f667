"""Access paths: each finds some of a list's rows by an index, so that a page costs no more when the tables grow.

A single predicate with OR would be equivalent, but would make the engine scan every row.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.selectable import Join


class AccessPath(NamedTuple):
    """Tables to read, and a predicate that selects the rows of a list from them."""

    rows: FromClause
    where: tuple[ColumnElement[bool], ...]

    def narrow(self, *where: ColumnElement[bool]) -> "AccessPath":
        return AccessPath(self.rows, (*self.where, *where))


class OrderedJoin(Join):
    """A join whose left side is read first. SQLite's planner, which has no statistics, keeps this order."""

    inherit_cache = True


@compiles(OrderedJoin, "sqlite")
def cross_join(join: OrderedJoin, compiler: Any, **words: Any) -> str:
    """In SQLite, CROSS JOIN only fixes the join order."""
    left, right = (compiler.process(side, **{**words, "asfrom": True}) for side in (join.left, join.right))
    return f"{left} CROSS JOIN {right} ON {compiler.process(join.onclause, **words)}"
