"""The store: transactions that write, snapshots that read, and the only commit."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import lifetime
from app.errors import Unavailable
from app.repeated_errors import RepeatedErrors
from app.store.engines import engine
from app.store.engines.sqlite_direct import DirectReader
from app.store.engines.sqlite_writer import Writer
from app.store.engines.transaction import Clock, Transaction

T = TypeVar("T")
LAST_UNITS_SECONDS = 6
AWAY = "The store can't be reached just now. Try again in a moment."
logger: Any = structlog.get_logger("store")
logging.getLogger("aiosqlite").setLevel(logging.WARNING)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The database. `on_commit` is called after each commit that has appended events to the log."""

    def __init__(self, url: URL, on_commit: Callable[[], None] = lambda: None, clock: Clock = utc_now) -> None:
        self.url = url
        self.clock = clock
        self._on_commit = on_commit
        self.reader = engine.open_reader(url)
        self.writer = engine.open_writer(url)
        # SQLite admits one writer; the others wait here instead of polling the file's lock.
        self._turn = asyncio.Lock()
        is_embedded = url.get_backend_name() == "sqlite"
        self._sqlite_writer = Writer(url, self._now, self._turn, on_commit) if is_embedded else None
        # The log's follower has connections of its own, so that clients can't keep it waiting for one.
        self.follower = DirectReader(url) if is_embedded else engine.open_follower(url)
        self._units: set[asyncio.Task[Any]] = set()
        self._outages = RepeatedErrors(logger, "store unavailable")
        # False while a starting server waits for the database or its migration: nobody is admitted until then.
        self.is_open = True
        # Starts the span of a unit, where traces are exported.
        self.span: Callable[[str], AbstractContextManager[Any]] | None = None

    async def act(self, action: Callable[[Transaction], Awaitable[T]]) -> T:
        """Carry out an action, which may wait for its transaction only, to its end."""
        if self._sqlite_writer is None:
            return await self.unit(self._act(action), "act")
        return await self._reporting_outages(self._traced(self._sqlite_writer.act(action), "act"))

    async def _act(self, action: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self.transaction() as tx:
            if (life := lifetime.current()) is not None:
                life.write()
            return await action(tx)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        """Begin; commit at the end of the block, or roll back when it raises."""
        self.require_open()
        async with self._my_turn(), self.writer.connect() as conn, conn.begin():
            tx = Transaction(conn, self.clock, self.clock())
            yield tx
        if tx.has_log_entries:
            self._on_commit()

    def require_open(self) -> None:
        """Raises Unavailable."""
        if not self.is_open:
            raise Unavailable(AWAY)

    @property
    def units_under_way(self) -> int:
        return len(self._units) + (0 if self._sqlite_writer is None else self._sqlite_writer.actions)

    @property
    def waiting_writers(self) -> int:
        """Actions that wait for the embedded store's one writer."""
        return 0 if self._sqlite_writer is None else self._sqlite_writer.queue

    def connections(self) -> dict[str, tuple[int, int]]:
        """Connections in use and pool size, by pool name."""
        opened = {"reader": self.reader, "writer": self.writer}
        if not isinstance(self.follower, DirectReader):
            opened["follower"] = self.follower
        pools: dict[str, Any] = {name: one.pool for name, one in opened.items()}
        return {name: (pool.checkedout(), pool.size()) for name, pool in pools.items()}

    def _now(self) -> datetime:
        return self.clock()

    def _my_turn(self) -> AbstractAsyncContextManager[Any]:
        return nullcontext() if self._sqlite_writer is None else self._turn

    async def unit(self, work: Coroutine[Any, Any, T], name: str = "read") -> T:
        """Run work on the store to its end, even when its caller is cancelled; `name` is for traces.

        A cancellation that reached a statement would break its connection, and could hang the shutdown.
        """
        return await asyncio.shield(self.begin(work, name))

    def begin(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        """Run work on the store in a task that nobody waits for."""
        task = asyncio.create_task(self._reporting_outages(self._traced(work, name)))
        self._units.add(task)
        task.add_done_callback(self._forget)
        if (life := lifetime.current()) is not None:
            life.add_unit(task)
        return task

    async def close(self) -> None:
        """Wait for the units under way, then close every connection."""
        if self._units:
            _, stuck = await asyncio.wait(self._units, timeout=LAST_UNITS_SECONDS)
            for unit in stuck:
                logger.error("store work cancelled at shutdown", unit=repr(unit))
                unit.cancel()
        if self._sqlite_writer is not None:
            await self._sqlite_writer.close(LAST_UNITS_SECONDS)
        if isinstance(self.follower, DirectReader):
            self.follower.close()
        else:
            await self.follower.dispose()
        for opened in (self.reader, self.writer):
            await opened.dispose()

    async def at_once(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work that never suspends, and so can't be cancelled."""
        return await self._reporting_outages(work)

    async def _reporting_outages(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        except (DBAPIError, PoolTimeout, OSError, sqlite3.OperationalError) as error:
            if isinstance(error, IntegrityError) or not _is_outage(error):
                raise
            self._outages.log(error)
            raise Unavailable(AWAY) from error

    def _traced(self, work: Coroutine[Any, Any, T], name: str) -> Coroutine[Any, Any, T]:
        return work if self.span is None else _in_span(self.span(f"store {name}"), work)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._units.discard(task)
        if not task.cancelled():
            task.exception()


async def _in_span(span: AbstractContextManager[Any], work: Coroutine[Any, Any, T]) -> T:
    with span:
        return await work


def _is_outage(error: Exception) -> bool:
    """Whether the database is gone or overrun, as opposed to a statement being wrong."""
    if not isinstance(error, DBAPIError):
        return True
    return error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError")
