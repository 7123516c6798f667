"""Exceptions as they are logged: of what kind and where they were raised.

What they say is left out where it may quote what a client has sent: a value, or a piece of its document.
"""

import sqlite3
import traceback
from collections.abc import Iterator
from typing import cast

from app.errors import Problem, Refusal, SetupError

# These speak of the code and of its surroundings, never of the values that it works on.
_OF_THE_CODE = (AttributeError, ImportError, NameError, NotImplementedError, RecursionError, MemoryError)
_OURS = (Problem, Refusal, SetupError, sqlite3.Error, *_OF_THE_CODE)
# PostgreSQL quotes the value in errors of this class: the data are not what the statement needs.
_DATA_EXCEPTION = "22"


def written(error: BaseException) -> str:
    """The traceback of an exception, and of those that led to it."""
    return "\n".join(_lines(error, set()))


def headline(error: BaseException) -> str:
    """The kind of an exception and, where it quotes no client, its message."""
    kind, message = type(error), _message(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{name}: {message}" if message else name


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen:
        yield from _lines(earlier, seen)
        yield "It led to:"
    yield "Traceback (most recent call last):"
    yield from (line.rstrip("\n") for line in traceback.format_tb(error.__traceback__))
    yield headline(error)
    if isinstance(error, BaseExceptionGroup):
        for part in cast(BaseExceptionGroup[BaseException], error).exceptions:
            if id(part) not in seen:
                yield from _lines(part, seen)


def _message(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or ""
    if isinstance(error, _OURS):
        return str(error)
    if isinstance(original := getattr(error, "orig", None), BaseException):
        return headline(original)
    return _of_postgres(error) if hasattr(error, "sqlstate") else ""


def _of_postgres(error: BaseException) -> str:
    """The first line only: the others quote rows and statements."""
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        # The server has said nothing; what the driver says is about the line to it, unless it is about a value.
        is_about_a_line = type(error).__name__ == "OperationalError"
        return str(error).strip().partition("\n")[0] if is_about_a_line else ""
    primary: str = getattr(getattr(error, "diag", None), "message_primary", None) or ""
    return f"SQLSTATE {state}" if state.startswith(_DATA_EXCEPTION) else f"SQLSTATE {state}, {primary}"
