"""Error codes that are collected while an operation runs, for its metrics and log line."""

from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Notes:
    """The codes of top-level errors, and those of refusals in payloads."""

    codes: list[str] = field(default_factory=list[str])
    refusals: list[str] = field(default_factory=list[str])


UNDER_WAY: ContextVar[Notes | None] = ContextVar("operation", default=None)


def note_error(code: str) -> None:
    if (notes := UNDER_WAY.get()) is not None:
        notes.codes.append(code)


def note_refusal(code: str) -> None:
    if (notes := UNDER_WAY.get()) is not None:
        notes.refusals.append(code)
