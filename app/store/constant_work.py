"""SQL conditions that take as many steps when they fail as when they hold, and whichever part of them fails.

AND stops at the first part that fails, so its time says which one that was.
"""

from typing import Any

from sqlalchemy import Boolean, ColumnClause, ColumnElement, column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class AllOf(FunctionElement[bool]):
    """All of the conditions hold. Each of them is evaluated, whichever does not."""

    type = Boolean()
    inherit_cache = True


@compiles(AllOf)
def _as_integers(element: AllOf, compiler: Any, **words: Any) -> str:
    return f"({' & '.join(f'CAST({part} AS INTEGER)' for part in _parts(element, compiler, words))} = 1)"


@compiles(AllOf, "sqlite")
def _as_they_are(element: AllOf, compiler: Any, **words: Any) -> str:
    return f"({' & '.join(f'({part})' for part in _parts(element, compiler, words))})"


class Equal(FunctionElement[bool]):
    """Two values are equal. On SQLite a plain comparison that fails takes one instruction more than one that holds."""

    type = Boolean()
    inherit_cache = True


@compiles(Equal)
def _once(element: Equal, compiler: Any, **words: Any) -> str:
    left, right = _parts(element, compiler, words)
    return f"({left} = {right})"


@compiles(Equal, "sqlite")
def _both_ways(element: Equal, compiler: Any, **words: Any) -> str:
    """One of the two comparisons fails, whatever the values are."""
    left, right = _parts(element, compiler, words)
    return f"(({left} = {right}) & ~({left} <> {right}))"


class Address(FunctionElement[Any]):
    """The address of a row that has been found by its ID: on SQLite its rowid, which saves a second index search."""

    inherit_cache = True


@compiles(Address)
def _id(element: Address, compiler: Any, **words: Any) -> str:
    [id] = _parts(element, compiler, words)
    return id


@compiles(Address, "sqlite")
def _rowid(element: Address, compiler: Any, **words: Any) -> str:
    [id] = element.clauses
    rowid: ColumnClause[int] = column("rowid")
    rowid.table = id.table
    return compiler.process(rowid, **words)


def _parts(element: FunctionElement[Any], compiler: Any, words: dict[str, Any]) -> list[str]:
    parts: list[ColumnElement[Any]] = list(element.clauses)
    return [compiler.process(part, **words) for part in parts]
