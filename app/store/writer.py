"""The one writer of the embedded store: the actions that wait are carried out together.

They share one transaction, and so one flush to the disk, for which a thread waits. Each has a savepoint: what one of
them does wrong undoes none of the others, and nobody has an answer before all of it is on the disk.
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
from app.store import engine
from app.store.direct import WritingConnection
from app.store.transaction import Clock, Transaction

T = TypeVar("T")
Work = Callable[[Transaction], Awaitable[Any]]
AT_ONCE = 64


class Waiting(NamedTuple):
    work: Work
    life: Lifetime | None
    answer: "asyncio.Future[Any]"


class Done(NamedTuple):
    """What an action gave or raised, and whether it has written into the log."""

    value: Any
    error: Exception | None
    has_news: bool


class Writer:
    """`turn` is held while it writes, for those who write in another way."""

    def __init__(self, url: URL, clock: Clock, turn: asyncio.Lock, on_news: Callable[[], None]) -> None:
        self._engine: Engine = engine.open_direct(url)
        self._thread = ThreadPoolExecutor(1, "writer")
        self._conn: WritingConnection | None = None
        self._clock = clock
        self._turn = turn
        self._on_news = on_news
        self._waiting: list[Waiting] = []
        self._under_way: asyncio.Task[None] | None = None

    async def act(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """What the action gives, as soon as all that it wrote is on the disk."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(work, lifetime.current(), answer))
        if self._under_way is None:
            # In surroundings of its own: it works for all who wait, and not for the first of them.
            self._under_way = asyncio.create_task(self._work_off(), context=Context())
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

    async def _work_off(self) -> None:
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
            done = [Done(None, error, has_news=False)] * len(now)
        for one, result in zip(now, done, strict=True):
            _tell(one.answer, result)
        if any(result.has_news for result in done):
            self._on_news()

    async def _together(self, now: list[Waiting]) -> list[Done]:
        conn = self._connected()
        await conn.begin()
        try:
            done = [await self._one(conn, one) for one in now]
            await conn.commit()
        except BaseException:  # also one that is cut short must not leave its transaction open
            conn.roll_back()
            raise
        return done

    async def _one(self, conn: WritingConnection, one: Waiting) -> Done:
        try:
            if one.life is not None:
                one.life.write()
        except TimedOut as error:
            return Done(None, error, has_news=False)
        tx = Transaction(conn, self._clock, self._clock())
        conn.raw.execute("SAVEPOINT action")
        try:
            value, error = await one.work(tx), None
        except Exception as raised:  # noqa: BLE001  # it is the answer to this action alone
            value, error = None, raised
            conn.raw.execute("ROLLBACK TO action")
        conn.raw.execute("RELEASE action")
        return Done(value, error, tx.has_news and error is None)

    def _connected(self) -> WritingConnection:
        if self._conn is None:
            self._conn = WritingConnection(self._engine.connect(), self._thread)
        return self._conn


def _tell(answer: "asyncio.Future[Any]", done: Done) -> None:
    if answer.done():
        return
    if done.error is None:
        answer.set_result(done.value)
    else:
        answer.set_exception(done.error)
