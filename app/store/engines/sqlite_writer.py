"""The one writer of the embedded store: the actions that wait are carried out together.

They share one transaction, and so one flush to the disk, for which a thread waits. Nobody has an answer before all of
it is on the disk. When one of them goes wrong, all of them are carried out anew, each with a savepoint: these cost a
tenth of an action, and what goes wrong here is a fault of ours. What is refused has written nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import URL, Engine

from app import lifetime
from app.errors import TimedOut
from app.lifetime import Lifetime
from app.store.engines import engine
from app.store.engines.sqlite_direct import WritingConnection
from app.store.engines.transaction import Clock, Transaction

T = TypeVar("T")
Work = Callable[[Transaction], Awaitable[Any]]
AT_ONCE = 64


class Waiting(NamedTuple):
    work: Work
    life: Lifetime | None
    answer: "asyncio.Future[Any]"


class Done(NamedTuple):
    """The result or error of an action, and whether it has written to the log."""

    value: Any
    error: Exception | None
    has_log_entries: bool


class Writer:
    """`turn` is held while it writes, for those who write in another way."""

    def __init__(self, url: URL, clock: Clock, turn: asyncio.Lock, on_commit: Callable[[], None]) -> None:
        self._engine: Engine = engine.open_direct(url)
        self._thread = ThreadPoolExecutor(1, "writer")
        self._conn: WritingConnection | None = None
        self._clock = clock
        self._turn = turn
        self._on_commit = on_commit
        self._waiting: list[Waiting] = []
        self.actions = 0
        self._under_way: asyncio.Task[None] | None = None

    async def act(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """The result of an action, once all that it wrote is on disk.

        The action may run twice, the first run being rolled back. It also runs to its end if its caller is cancelled.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if (life := lifetime.current()) is not None:
            life.unit_begins()
        self._waiting.append(Waiting(work, life, answer))
        self.actions += 1
        if self._under_way is None:
            # In surroundings of its own: it works for all who wait, and not for the first of them.
            self._under_way = asyncio.create_task(self._drain_queue(), context=Context())
        return await answer

    @property
    def queue(self) -> int:
        """Actions that wait for their turn."""
        return len(self._waiting)

    async def close(self, patience_seconds: float) -> None:
        if self._under_way is not None:
            await asyncio.wait({self._under_way}, timeout=patience_seconds)
        self._conn = None
        self._engine.dispose()
        self._thread.shutdown(wait=False)

    async def _drain_queue(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)  # those whose requests are being read just now come along
                async with self._turn:
                    now, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                    await self._write(now)
        finally:
            self._under_way = None

    async def _write(self, now: list[Waiting]) -> None:
        try:
            done = await self._together(now)
        except Exception as error:  # noqa: BLE001  # whatever it is, those who wait must hear of it
            done = [Done(None, error, has_log_entries=False)] * len(now)
        self.actions -= len(now)
        for one, result in zip(now, done, strict=True):
            _tell(one, result)
        if any(result.has_log_entries for result in done):
            self._on_commit()

    async def _together(self, now: list[Waiting]) -> list[Done]:
        conn = self._connected()
        await conn.begin()
        try:
            done = await self._all(conn, now)
            await conn.commit()
        except BaseException:  # also one that is cut short must not leave its transaction open
            conn.roll_back()
            raise
        return done

    async def _all(self, conn: WritingConnection, now: list[Waiting]) -> list[Done]:
        try:
            return [await self._one(conn, one) for one in now]
        except Exception:  # noqa: BLE001  # whatever it is, it is met again, and is the answer to that action alone
            conn.roll_back()
            await conn.begin()
            return [await self._apart(conn, one) for one in now]

    async def _one(self, conn: WritingConnection, one: Waiting) -> Done:
        try:
            if one.life is not None:
                one.life.write()
        except TimedOut as error:
            return Done(None, error, has_log_entries=False)
        tx = Transaction(conn, self._clock, self._clock())
        value = await one.work(tx)
        return Done(value, None, tx.has_log_entries)

    async def _apart(self, conn: WritingConnection, one: Waiting) -> Done:
        conn.raw.execute("SAVEPOINT action")
        try:
            done = await self._one(conn, one)
        except Exception as raised:  # noqa: BLE001  # it is the answer to this action alone
            conn.raw.execute("ROLLBACK TO action")
            done = Done(None, raised, has_log_entries=False)
        conn.raw.execute("RELEASE action")
        return done

    def _connected(self) -> WritingConnection:
        if self._conn is None:
            self._conn = WritingConnection(self._engine.connect(), self._thread)
        return self._conn


def _tell(one: Waiting, done: Done) -> None:
    if not one.answer.done():
        if done.error is None:
            one.answer.set_result(done.value)
        else:
            one.answer.set_exception(done.error)
    if one.life is not None:
        one.life.unit_ends()
