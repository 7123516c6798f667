"""Ways into a list: each finds some of its rows by an index, so a page costs no more when the tables grow.

One predicate with `or` in it would say the same, and would make the engine look at every row.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.selectable import Join


class Way(NamedTuple):
    """Where rows of a list are looked for, and which of them belong to it."""

    rows: FromClause
    where: tuple[ColumnElement[bool], ...]

    def narrowed(self, *where: ColumnElement[bool]) -> "Way":
        return Way(self.rows, (*self.where, *where))


class Driven(Join):
    """A join that begins with the rows on the left. SQLite has to be told, since it guesses; PostgreSQL counts."""

    inherit_cache = True


@compiles(Driven, "sqlite")
def cross_join(join: Driven, compiler: Any, **words: Any) -> str:
    """The word CROSS is how SQLite is told, and it says nothing else there."""
    left, right = (compiler.process(side, **{**words, "asfrom": True}) for side in (join.left, join.right))
    return f"{left} CROSS JOIN {right} ON {compiler.process(join.onclause, **words)}"
