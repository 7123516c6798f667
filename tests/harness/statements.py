"""What the store is asked."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from tests.harness.gateway import Gateway


@contextmanager
def statements(gateway: Gateway) -> Generator[list[str]]:
    """The statements that operations send meanwhile, in order; not the tailer's, which come when they come."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN") and "FROM event " not in statement.replace("\n", " "):
            sent.append(statement)

    engines = [gateway.services.store.reader.sync_engine, gateway.services.store.writer.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
