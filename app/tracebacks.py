"""Formats exceptions for the log: their types and where they were raised.

Messages are left out if they may quote what a client has sent: a value, or a piece of its document.
"""

import sqlite3
import traceback
from collections.abc import Iterator
from typing import cast

from app.errors import Problem, Refusal, SetupError

# Messages of these are about the code and its environment, never about a client's values.
_OF_THE_CODE = (AttributeError, ImportError, NameError, NotImplementedError, RecursionError, MemoryError)
_OURS = (Problem, Refusal, SetupError, sqlite3.Error, *_OF_THE_CODE)
# PostgreSQL quotes the offending value in errors of this class.
_DATA_EXCEPTION = "22"


def format_traceback(error: BaseException) -> str:
    """The traceback of an exception and of its causes."""
    return "\n".join(_lines(error, set()))


def clear_tracebacks(error: BaseException) -> None:
    """Release the frames of an error and its causes: they keep its request alive until the garbage is collected."""
    held = [error]
    for one in held:
        one.__traceback__ = None
        reasons = (getattr(one, "original_error", None), one.__cause__, one.__context__)
        held += [reason for reason in reasons if reason is not None and all(reason is not other for other in held)]


def headline(error: BaseException) -> str:
    """The type of an exception, and its message unless it may quote a client."""
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
    """The first line of PostgreSQL's message. The other lines quote rows and statements."""
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        # Without a state the error is the driver's own. If it is operational, it is about the connection, not a value.
        is_about_connection = type(error).__name__ == "OperationalError"
        return str(error).strip().partition("\n")[0] if is_about_connection else ""
    primary: str = getattr(getattr(error, "diag", None), "message_primary", None) or ""
    return f"SQLSTATE {state}" if state.startswith(_DATA_EXCEPTION) else f"SQLSTATE {state}, {primary}"
