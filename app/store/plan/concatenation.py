"""Many pieces of text as one. SQLite copies what is on the left at each `||`; `printf` copies each piece once."""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import concat_op

# SQLite takes 100 arguments wherever it was built.
MOST_PIECES = 90


class Written(FunctionElement[str]):
    """Pieces of which none is NULL; `printf` would write nothing for it, where `||` makes all NULL."""

    name = "written"
    type = Text()
    inherit_cache = True


@compiles(Written)
def concatenation(whole: Written, compiler: Any, **words: Any) -> str:
    return " || ".join(_pieces(whole, compiler, words))


@compiles(Written, "sqlite")
def formatted(whole: Written, compiler: Any, **words: Any) -> str:
    pieces = _pieces(whole, compiler, words)
    starts = range(0, len(pieces), MOST_PIECES)
    return " || ".join(_printf(pieces[start : start + MOST_PIECES]) for start in starts)


def _pieces(whole: Written, compiler: Any, words: dict[str, Any]) -> list[str]:
    pieces: Any = whole.clauses
    return [compiler.process(piece.self_group(against=concat_op), **words) for piece in pieces]


def _printf(pieces: list[str]) -> str:
    if len(pieces) == 1:
        return pieces[0]
    form = "".join(piece[1:-1].replace("%", "%%") if _is_text(piece) else "%s" for piece in pieces)
    return ", ".join([f"printf('{form}'", *(piece for piece in pieces if not _is_text(piece))]) + ")"


def _is_text(piece: str) -> bool:
    """Only words of our own stand in quotes at once, and no quote is in them."""
    return piece.startswith("'") and piece.endswith("'") and "'" not in piece[1:-1]
