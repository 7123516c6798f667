"""Records the SQL statements of operations."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import event

from app.store.engines.sqlite_direct import WritingConnection
from tests.harness.gateway import Gateway


@contextmanager
def record_statements(gateway: Gateway) -> Generator[list[str]]:
    """Record the statements that operations send during the block, in order, without those of the log tailer."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN") and "FROM event " not in statement.replace("\n", " "):
            sent.append(statement)

    async def run_noted(conn: WritingConnection, statement: Any, parameters: Any = None) -> Any:
        note(None, None, str(statement))
        return await (run_text if isinstance(statement, str) else run)(conn, statement, parameters)

    run, run_text = WritingConnection.execute, WritingConnection.exec_driver_sql
    engines = [gateway.services.store.reader.sync_engine, gateway.services.store.writer.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        with (
            patch.object(WritingConnection, "execute", run_noted),
            patch.object(WritingConnection, "exec_driver_sql", run_noted),
        ):
            yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
