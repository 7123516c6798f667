"""What a plan's statement is read by, and what comes of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from app.store.plan.dialects import Dialect
from app.store.plan.statement import Statement

# What a response may have unless the settings say otherwise.
MOST_BYTES = 8_000_000


class Unreadable(Exception):
    """The statement does not work, although the store does: it is too large, or not what the engine takes."""


class Answer(NamedTuple):
    """The text of the answer, and the number of the newest event in the same view if it was asked for, else 0."""

    text: bytes
    seq: int


class Reader(Protocol):
    dialect: Dialect

    def read_at_once(self, statement: Statement, values: Mapping[str, Any]) -> Answer | None:
        """The answer if it needs no wait; None when it does."""
        ...

    async def read(self, statement: Statement, values: Mapping[str, Any]) -> Answer: ...

    def connections(self) -> dict[str, tuple[int, int]]:
        """Of its pool, if it has one, how many connections are in use and how many there may be."""
        ...

    async def close(self) -> None: ...
