"""The payload of one watch item: bytes, or a pending task that several watchers share."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from app.errors import TimedOut, Unavailable
from app.lifetime import Lifetime, within

T = TypeVar("T")
Work = Callable[[], Awaitable[bytes]]


class PendingPayload:
    """A payload that is made in a task of its own, because the watcher that requested it may disconnect.

    `schedule` runs the work when the tenant is within its share. The task ends early when nobody waits for it.
    """

    def __init__(
        self,
        schedule: Callable[[Work], Coroutine[Any, Any, bytes]],
        on_begin: Callable[[], None],
        lifetime: Callable[[], Lifetime],
        work: Callable[[], Coroutine[Any, Any, bytes]],
    ) -> None:
        self._on_begin = on_begin
        self._lifetime = lifetime
        self._work = work
        self._life: Lifetime | None = None
        self._waiting = 0
        self._is_abandoned = False
        self._task = asyncio.create_task(schedule(self._run))
        self._task.add_done_callback(_retrieve_exception)

    def on_end(self, callback: Callable[[], None]) -> None:
        self._task.add_done_callback(lambda _: callback())

    async def wait(self) -> bytes:
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._abandon()

    @property
    def has_failed(self) -> bool:
        """Whether the payload has failed or was abandoned."""
        if not self._task.done():
            return self._is_abandoned or (self._life is not None and self._life.is_over)
        return self._task.cancelled() or self._task.exception() is not None

    async def _run(self) -> bytes:
        self._on_begin()
        self._life = self._lifetime()
        return await in_time(self._life, self._work())

    def _abandon(self) -> None:
        if self._life is not None:
            self._life.end()
        elif not self._task.done():
            self._is_abandoned = True
            self._task.cancel()


Payload = bytes | PendingPayload


def has_failed(payload: Payload) -> bool:
    return isinstance(payload, PendingPayload) and payload.has_failed


async def in_time(life: Lifetime, work: Coroutine[Any, Any, T]) -> T:
    """Run work within its lifetime. Raises Unavailable on timeout, after which a watch reconnects without a gap."""
    try:
        return await within(life, work)
    except TimedOut as error:
        raise Unavailable("The watch can't be served just now.") from error


def _retrieve_exception(task: "asyncio.Task[bytes]") -> None:
    """Mark the exception as retrieved; the waiters, if any, receive it."""
    if not task.cancelled():
        task.exception()
