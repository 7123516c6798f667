"""Concatenates pieces of text. SQLite's `||` copies its left operand each time; `printf` copies each piece once."""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import concat_op

# Every build of SQLite accepts at least 100 function arguments.
MAX_PRINTF_PIECES = 90


class NonNullConcat(FunctionElement[str]):
    """A concatenation of pieces that are never NULL, which `printf` and `||` would treat differently."""

    name = "written"
    type = Text()
    inherit_cache = True


@compiles(NonNullConcat)
def with_operators(element: NonNullConcat, compiler: Any, **options: Any) -> str:
    return " || ".join(_pieces(element, compiler, options))


@compiles(NonNullConcat, "sqlite")
def with_printf(element: NonNullConcat, compiler: Any, **options: Any) -> str:
    pieces = _pieces(element, compiler, options)
    starts = range(0, len(pieces), MAX_PRINTF_PIECES)
    return " || ".join(_printf(pieces[start : start + MAX_PRINTF_PIECES]) for start in starts)


def _pieces(element: NonNullConcat, compiler: Any, options: dict[str, Any]) -> list[str]:
    pieces: Any = element.clauses
    return [compiler.process(piece.self_group(against=concat_op), **options) for piece in pieces]


def _printf(pieces: list[str]) -> str:
    if len(pieces) == 1:
        return pieces[0]
    form = "".join(piece[1:-1].replace("%", "%%") if _is_constant(piece) else "%s" for piece in pieces)
    return ", ".join([f"printf('{form}'", *(piece for piece in pieces if not _is_constant(piece))]) + ")"


def _is_constant(piece: str) -> bool:
    """Whether the SQL is a string constant; `dialects.text` allows no quotes inside one."""
    return piece.startswith("'") and piece.endswith("'") and "'" not in piece[1:-1]
