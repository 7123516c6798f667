"""Wraps a reader so that each statement has a trace span. Only used if tracing is enabled."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from app.store.plan.answer import Answer, Reader
from app.store.plan.dialects import Dialect
from app.store.plan.statement import Statement


class TracedReader:
    """Delegates to another reader, with a span for each read."""

    def __init__(self, reader: Reader, span: Callable[[str], AbstractContextManager[Any]]) -> None:
        self._reader = reader
        self._span = span
        self.dialect: Dialect = reader.dialect

    def try_read(self, statement: Statement, values: Mapping[str, Any]) -> Answer | None:
        with self._span("store plan"):
            return self._reader.try_read(statement, values)

    async def read(self, statement: Statement, values: Mapping[str, Any]) -> Answer:
        with self._span("store plan"):
            return await self._reader.read(statement, values)

    def connections(self) -> dict[str, tuple[int, int]]:
        return self._reader.connections()

    async def close(self) -> None:
        await self._reader.close()
