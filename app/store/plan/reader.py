"""Runs the statements of plans. On SQLite, small ones run in the event loop, which is cheaper than a thread."""

import asyncio
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from sqlalchemy import URL

from app import lifetime
from app.errors import ResponseTooLarge
from app.lifetime import Lifetime
from app.store.database import Store
from app.store.plan.answer import MOST_BYTES, Answer, Reader, StatementFailed
from app.store.plan.dialects import Dialect, Sqlite
from app.store.plan.placeholders import complete
from app.store.plan.pooled import PostgresReader
from app.store.plan.statement import Statement

# The time limit of a statement in the event loop, and the SQLite steps between two checks of it.
LOOP_SECONDS = 0.005
STEPS_BETWEEN_CHECKS = 10_000
CACHED_STATEMENTS = 256
# The loop's connection caches 64 MiB of pages, and keeps its temporary tables, which are small, in memory.
_CACHE_PRAGMAS = ("cache_size = -65536", "temp_store = MEMORY")


def open_reader(store: Store, most_bytes: int = MOST_BYTES) -> Reader:
    """Open the reader for the store's engine."""
    is_sqlite = store.url.get_backend_name() == "sqlite"
    return SqliteReader(store, most_bytes) if is_sqlite else PostgresReader(store, most_bytes)


class SqliteReader:
    """Uses two connections: one in the event loop with a short time limit, one in a thread for slower statements."""

    dialect: Dialect = Sqlite()

    def __init__(self, store: Store, most_bytes: int = MOST_BYTES) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._loop_connection: sqlite3.Connection | None = None
        self._thread_connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._deadline = 0.0

    def try_read(self, statement: Statement, values: Mapping[str, Any]) -> Answer | None:
        connection = self._open_loop_connection()
        self._deadline = monotonic() + LOOP_SECONDS
        try:
            return _run(connection, statement.sql, values, self._most_bytes)
        except sqlite3.OperationalError:
            # The time limit was exceeded, or the file is locked.
            return None
        except sqlite3.Error as error:
            raise self._translate(error) from error

    async def read(self, statement: Statement, values: Mapping[str, Any]) -> Answer:
        if (answer := self.try_read(statement, values)) is not None:
            return answer
        return await self._store.unit(self._read_in_thread(statement.sql, values))

    def connections(self) -> dict[str, tuple[int, int]]:
        return {}

    async def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None
        for connection in (self._loop_connection, self._thread_connection):
            if connection is not None:
                connection.close()
        self._loop_connection = self._thread_connection = None

    def _open_loop_connection(self) -> sqlite3.Connection:
        if self._loop_connection is None:
            self._loop_connection = self._connect("busy_timeout = 0", *_CACHE_PRAGMAS)
            self._loop_connection.set_progress_handler(lambda: monotonic() > self._deadline, STEPS_BETWEEN_CHECKS)
        return self._loop_connection

    async def _read_in_thread(self, sql: str, values: Mapping[str, Any]) -> Answer:
        if self._thread is None:
            # A separate thread, so that slow reads don't occupy the default executor.
            self._thread = ThreadPoolExecutor(1, "reader")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._run_in_thread, sql, values, lifetime.current())

    def _run_in_thread(self, sql: str, values: Mapping[str, Any], life: Lifetime | None) -> Answer:
        """Run in the thread, one statement at a time. A read whose operation is over is skipped or interrupted."""
        if life is not None:
            life.require()
        if self._thread_connection is None:
            self._thread_connection = self._connect("busy_timeout = 5000")
        try:
            self._thread_connection.set_progress_handler(
                lambda: life is not None and life.is_over, STEPS_BETWEEN_CHECKS
            )
            return _run(self._thread_connection, sql, values, self._most_bytes)
        except sqlite3.Error as error:
            if life is not None and life.is_over:
                raise life.timed_out() from error
            raise self._translate(error) from error

    def _translate(self, error: sqlite3.Error) -> Exception:
        is_too_large = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_TOOBIG
        return ResponseTooLarge(self._most_bytes) if is_too_large else StatementFailed(str(error))

    def _connect(self, *pragmas: str) -> sqlite3.Connection:
        connection = _connect(self._store.url, *pragmas)
        # SQLite stops building a response as soon as it exceeds this limit.
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self._most_bytes)
        return connection


def _connect(url: URL, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        url.database or "", isolation_level=None, check_same_thread=False, cached_statements=CACHED_STATEMENTS
    )
    connection.text_factory = bytes
    for pragma in ("query_only = ON", *pragmas):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _run(connection: sqlite3.Connection, sql: str, values: Mapping[str, Any], most_bytes: int) -> Answer:
    text, seq = connection.execute(sql, values).fetchone()
    return Answer(complete(text, most_bytes), seq)
