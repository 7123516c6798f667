"""Runs the statements of plans; on SQLite in the event loop itself, where a small one costs less than a thread."""

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
from app.store.plan.answer import MOST_BYTES, Answer, Reader, Unreadable
from app.store.plan.dialects import Dialect, Sqlite
from app.store.plan.placeholders import complete
from app.store.plan.pooled import PostgresReader
from app.store.plan.statement import Statement

# What the loop can spare for one statement, and how many of its steps SQLite takes between two looks at the clock.
LOOP_SECONDS = 0.005
STEPS_BETWEEN_LOOKS = 10_000
CACHED_STATEMENTS = 256
# Pages that the loop's connection keeps at hand, and the tables that a statement needs meanwhile, which are small.
_AT_HAND = ("cache_size = -65536", "temp_store = MEMORY")


def open_reader(store: Store, most_bytes: int = MOST_BYTES) -> Reader:
    """A reader of responses that have so many bytes at most."""
    is_sqlite = store.url.get_backend_name() == "sqlite"
    return SqliteReader(store, most_bytes) if is_sqlite else PostgresReader(store, most_bytes)


class SqliteReader:
    """Two connections: one for the loop, which gives up early, and one for the thread that takes over then."""

    dialect: Dialect = Sqlite()

    def __init__(self, store: Store, most_bytes: int = MOST_BYTES) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._quick: sqlite3.Connection | None = None
        self._patient: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._until = 0.0

    def read_at_once(self, statement: Statement, values: Mapping[str, Any]) -> Answer | None:
        connection = self._quick_one()
        self._until = monotonic() + LOOP_SECONDS
        try:
            return _run(connection, statement.sql, values, self._most_bytes)
        except sqlite3.OperationalError:
            # It takes longer than the loop can spare, or the file is busy.
            return None
        except sqlite3.Error as error:
            raise self._refused(error) from error

    async def read(self, statement: Statement, values: Mapping[str, Any]) -> Answer:
        if (answer := self.read_at_once(statement, values)) is not None:
            return answer
        return await self._store.unit(self._in_thread(statement.sql, values))

    def connections(self) -> dict[str, tuple[int, int]]:
        return {}

    async def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None
        for connection in (self._quick, self._patient):
            if connection is not None:
                connection.close()
        self._quick = self._patient = None

    def _quick_one(self) -> sqlite3.Connection:
        if self._quick is None:
            self._quick = self._connected("busy_timeout = 0", *_AT_HAND)
            self._quick.set_progress_handler(lambda: monotonic() > self._until, STEPS_BETWEEN_LOOKS)
        return self._quick

    async def _in_thread(self, sql: str, given: Mapping[str, Any]) -> Answer:
        if self._thread is None:
            # Of its own, so that those who wait here keep no other work of the process waiting.
            self._thread = ThreadPoolExecutor(1, "reader")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._run_patiently, sql, given, lifetime.current())

    def _run_patiently(self, sql: str, given: Mapping[str, Any], life: Lifetime | None) -> Answer:
        """In the thread, one after the other. A read that nobody waits for any more gives up its place."""
        if life is not None:
            life.require()
        if self._patient is None:
            self._patient = self._connected("busy_timeout = 5000")
        try:
            self._patient.set_progress_handler(lambda: life is not None and life.is_over, STEPS_BETWEEN_LOOKS)
            return _run(self._patient, sql, given, self._most_bytes)
        except sqlite3.Error as error:
            if life is not None and life.is_over:
                raise life.timed_out() from error
            raise self._refused(error) from error

    def _refused(self, error: sqlite3.Error) -> Exception:
        is_too_large = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_TOOBIG
        return ResponseTooLarge(self._most_bytes) if is_too_large else Unreadable(str(error))

    def _connected(self, *pragmas: str) -> sqlite3.Connection:
        connection = _connected(self._store.url, *pragmas)
        # No text grows beyond that, so a response that is too large is given up while it is built.
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self._most_bytes)
        return connection


def _connected(url: URL, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        url.database or "", isolation_level=None, check_same_thread=False, cached_statements=CACHED_STATEMENTS
    )
    connection.text_factory = bytes
    for pragma in ("query_only = ON", *pragmas):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _run(connection: sqlite3.Connection, sql: str, given: Mapping[str, Any], most_bytes: int) -> Answer:
    text, seq = connection.execute(sql, given).fetchone()
    return Answer(complete(text, most_bytes), seq)
