"""The embedded store without threads between: small statements run where they are awaited, and are over at once."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Connection, Dialect, Engine

from app.store.engines import engine

T = TypeVar("T")
BUSY_MILLISECONDS = 5_000
# So many rows the event loop can spare the time for.
MANY_ROWS = 20


class DirectConnection:
    """SQLAlchemy's connection in the form that queries await. Nothing in it ever waits."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        raw: Any = conn.connection.dbapi_connection
        self.raw: sqlite3.Connection = raw
        self.dialect: Dialect = conn.dialect

    def roll_back(self) -> None:
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        return self._conn.execute(statement, parameters)

    async def scalar(self, statement: Any, parameters: Any = None) -> Any:
        return self._conn.scalar(statement, parameters)

    async def exec_driver_sql(self, statement: str, parameters: Any = None) -> Any:
        run: Any = self.raw.executemany if isinstance(parameters, list) else self.raw.execute
        return run(statement, parameters)


class WritingConnection(DirectConnection):
    """One that writes: whatever may take its time is left to a thread, and the event loop goes on."""

    def __init__(self, conn: Connection, thread: Executor) -> None:
        super().__init__(conn)
        self._thread = thread
        self.raw.execute("PRAGMA busy_timeout = 0")

    async def begin(self) -> None:
        try:
            self.raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            # Somebody else is writing, a command beside the server: its own upkeep takes turns with this.
            await self._in_thread(self._begin_patiently)

    async def commit(self) -> None:
        """Flush to the disk, and now and then move the log of pages into the file."""
        await self._in_thread(self.raw.execute, "COMMIT")

    async def exec_driver_sql(self, statement: str, parameters: Any = None) -> Any:
        if isinstance(parameters, list) and len(cast(list[Any], parameters)) > MANY_ROWS:
            return await self._in_thread(self.raw.executemany, statement, parameters)
        return await super().exec_driver_sql(statement, parameters)

    def _begin_patiently(self) -> None:
        self.raw.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        try:
            self.raw.execute("BEGIN IMMEDIATE")
        finally:
            self.raw.execute("PRAGMA busy_timeout = 0")

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)


class DirectReader:
    """Reads the store for the tailer of the log: a few small statements at a time, in the event loop."""

    def __init__(self, url: URL) -> None:
        self._engine: Engine = engine.open_direct(url)
        self._conn: DirectConnection | None = None

    async def read(self, query: Callable[[DirectConnection], Awaitable[T]]) -> T:
        """The result of a query, in one snapshot."""
        if self._conn is None:
            self._conn = DirectConnection(self._engine.connect())
        self._conn.raw.execute("BEGIN")
        try:
            return run_to_end(query(self._conn))
        finally:
            self._conn.roll_back()

    def close(self) -> None:
        self._conn = None
        self._engine.dispose()


def run_to_end(action: Awaitable[T]) -> T:
    """Run an action that awaits nothing but its connection, and therefore never suspends."""
    step = action.__await__()
    try:
        next(step)
    except StopIteration as end:
        return end.value
    raise RuntimeError("An action on the embedded store may await its connection and nothing else.")
