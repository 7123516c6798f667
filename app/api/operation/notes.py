"""What is noted about an operation while it is carried out, for the figures and the log line of its end."""

from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Notes:
    """The codes of its top-level errors, and those of what it was refused in a payload."""

    codes: list[str] = field(default_factory=list[str])
    refusals: list[str] = field(default_factory=list[str])


UNDER_WAY: ContextVar[Notes | None] = ContextVar("operation", default=None)


def note_error(code: str) -> None:
    if (notes := UNDER_WAY.get()) is not None:
        notes.codes.append(code)


def note_refusal(code: str) -> None:
    if (notes := UNDER_WAY.get()) is not None:
        notes.refusals.append(code)
