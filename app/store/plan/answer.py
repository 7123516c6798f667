"""The interface of plan readers, and their results."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from app.store.plan.dialects import Dialect
from app.store.plan.statement import Statement

# The default limit on the size of a response.
MOST_BYTES = 8_000_000


class StatementFailed(Exception):
    """The database refused the statement, for example because it is too large. The store itself is available."""


class Answer(NamedTuple):
    """The response text, and the log position in the same snapshot (0 unless the plan selects it)."""

    text: bytes
    seq: int


class Reader(Protocol):
    dialect: Dialect

    def try_read(self, statement: Statement, values: Mapping[str, Any]) -> Answer | None:
        """Return the answer if it is available without blocking, otherwise None."""
        ...

    async def read(self, statement: Statement, values: Mapping[str, Any]) -> Answer: ...

    def connections(self) -> dict[str, tuple[int, int]]:
        """Connections in use and pool size, by pool name."""
        ...

    async def close(self) -> None: ...
