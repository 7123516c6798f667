"""One consistent view of the store, for everything that one operation reads."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app import lifetime
from app.model import Caller
from app.store.database import Store
from app.store.engines.sqlite_direct import DirectReader

P = ParamSpec("P")
T = TypeVar("T")
Query = Callable[Concatenate[AsyncConnection, P], Awaitable[T]]
ViewerQuery = Callable[Concatenate[AsyncConnection, Caller, P], Awaitable[T]]
logger: Any = structlog.get_logger("store")
# For one read of those who follow the log: it takes milliseconds, and all watches hang on it.
FOLLOWING_SECONDS = 5.0


class Snapshot:
    """Begins with the first read; `renew` ends it, so that the next read sees what was committed since."""

    def __init__(self, store: Store, engine: AsyncEngine | None = None) -> None:
        self._store = store
        self._engine = engine or store.reader
        self._turn = asyncio.Lock()
        self._conn: AsyncConnection | None = None
        self._used = False

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one query of this room, as `await snapshot.read(images.find, viewer, ids)`."""
        self._store.require_open()
        self._used = True
        return await self._store.unit(self._read(query, *args, **kwargs), getattr(query, "__name__", "read"))

    async def renew(self) -> None:
        """Release the view, once a read whose caller has disconnected is finished, so that no connection is lost."""
        if self._used:
            self._used = False
            await self._store.unit(self._end(), "end")

    async def close(self) -> None:
        """End the snapshot. A read that an abandoned caller has left running finishes in the background."""
        if self._turn.locked():
            self._store.begin(self._end(), "end")
        else:
            await self.renew()

    async def _read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._turn:
            lifetime.require()
            conn = await self._connected()
            lifetime.require()
            return await query(conn, *args, **kwargs)

    async def _connected(self) -> AsyncConnection:
        if self._conn is None:
            self._conn = await self._engine.connect()
        return self._conn

    async def _end(self) -> None:
        async with self._turn:
            conn, self._conn = self._conn, None
            if conn is not None:
                await _let_go(conn)


async def _let_go(conn: AsyncConnection) -> None:
    """Nothing was written, so nothing is committed: a view that can't be ended in good order is as well lost."""
    try:
        await conn.close()
    except SQLAlchemyError as error:
        logger.warning("a connection was lost while it was given back", exc_info=error)
        if not conn.closed:
            await conn.invalidate()


async def read_once(store: Store, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """One query in a snapshot of its own."""
    return await _only_read(Snapshot(store), query, *args, **kwargs)


async def read_following(store: Store, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a query on the connection that is reserved for the log's follower. Raises TimeoutError."""
    if isinstance(store.follower, DirectReader):
        direct: Any = query
        return await store.at_once(store.follower.read(lambda conn: direct(conn, *args, **kwargs)))
    reading = _only_read(Snapshot(store, store.follower), query, *args, **kwargs)
    return await in_time(reading, FOLLOWING_SECONDS)


async def in_time(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """The result of the work. Raises TimeoutError if it takes too long; it then goes on in the background."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_retrieve_exception)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise TimeoutError(f"the store has not answered within {seconds:g} s")
    return task.result()


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


async def _only_read(snapshot: Snapshot, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return await snapshot.read(query, *args, **kwargs)
    finally:
        await snapshot.renew()
