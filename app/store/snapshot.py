"""One consistent view of the store, for everything that one operation reads."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from app.model import Caller
from app.store.database import Store

P = ParamSpec("P")
T = TypeVar("T")
Query = Callable[Concatenate[AsyncConnection, P], Awaitable[T]]
ViewerQuery = Callable[Concatenate[AsyncConnection, Caller, P], Awaitable[T]]


class Snapshot:
    """Begins with the first read; `renew` ends it, so that the next read sees what was committed since."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = asyncio.Lock()
        self._open = AsyncExitStack()
        self._conn: AsyncConnection | None = None
        self._used = False

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one query of this room, as `await snapshot.read(images.find, viewer, ids)`."""
        self._used = True
        return await self._store.unit(self._read(query, *args, **kwargs))

    async def renew(self) -> None:
        """Let go of the view. A read whose caller went away is waited for, so no connection is lost."""
        if self._used:
            self._used = False
            await self._store.unit(self._end())

    async def _read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._turn:
            return await query(await self._connected(), *args, **kwargs)

    async def _connected(self) -> AsyncConnection:
        if self._conn is None:
            conn = await self._open.enter_async_context(self._store.reader.connect())
            await self._open.enter_async_context(conn.begin())
            self._conn = conn
        return self._conn

    async def _end(self) -> None:
        async with self._turn:
            self._conn = None
            await self._open.aclose()


async def read_once(store: Store, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """One query in a snapshot of its own."""
    snapshot = Snapshot(store)
    try:
        return await snapshot.read(query, *args, **kwargs)
    finally:
        await snapshot.renew()
