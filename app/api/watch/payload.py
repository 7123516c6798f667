"""The payload of one item of a watch: bytes, or in the making for all who ask the same."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from app.errors import TimedOut, Unavailable
from app.lifetime import Lifetime, within

T = TypeVar("T")
Work = Callable[[], Awaitable[bytes]]


class InTheMaking:
    """A payload that is made apart from those who wait for it, since the first of them may go away meanwhile.

    `in_turn` carries the work out when its turn has come. When all have gone, it does not begin any more, or no further
    unit of it.
    """

    def __init__(
        self,
        in_turn: Callable[[Work], Coroutine[Any, Any, bytes]],
        on_begin: Callable[[], None],
        lifetime: Callable[[], Lifetime],
        work: Callable[[], Coroutine[Any, Any, bytes]],
    ) -> None:
        self._on_begin = on_begin
        self._lifetime = lifetime
        self._work = work
        self._life: Lifetime | None = None
        self._waiting = 0
        self._is_given_up = False
        self._task = asyncio.create_task(in_turn(self._made))
        self._task.add_done_callback(_looked_at)

    def on_end(self, told: Callable[[], None]) -> None:
        self._task.add_done_callback(lambda _: told())

    async def joined(self) -> bytes:
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._give_up()

    @property
    def has_failed(self) -> bool:
        """Whether there is no payload, and there will be none."""
        if not self._task.done():
            return self._is_given_up or (self._life is not None and self._life.is_over)
        return self._task.cancelled() or self._task.exception() is not None

    async def _made(self) -> bytes:
        self._on_begin()
        self._life = self._lifetime()
        return await in_time(self._life, self._work())

    def _give_up(self) -> None:
        if self._life is not None:
            self._life.end()
        elif not self._task.done():
            self._is_given_up = True
            self._task.cancel()


Payload = bytes | InTheMaking


def has_failed(payload: Payload) -> bool:
    return isinstance(payload, InTheMaking) and payload.has_failed


async def in_time(life: Lifetime, work: Coroutine[Any, Any, T]) -> T:
    """The same as `within`, for a watch: it is cut, and comes again, and so misses nothing. Raises Unavailable."""
    try:
        return await within(life, work)
    except TimedOut as error:
        raise Unavailable("The watch can't be served just now.") from error


def _looked_at(task: "asyncio.Task[bytes]") -> None:
    """What it raised is told to those who wait, if there are any."""
    if not task.cancelled():
        task.exception()
