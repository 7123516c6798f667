"""The payload of one item of a watch: bytes, or in the making for all who ask the same."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from app.errors import TimedOut, Unavailable
from app.lifetime import Lifetime, within

T = TypeVar("T")


class InTheMaking:
    """A payload that is made apart from those who wait for it, since the first of them may go away meanwhile.

    When all have gone, no further unit of it begins.
    """

    def __init__(self, life: Lifetime, work: Coroutine[Any, Any, bytes]) -> None:
        self._life = life
        self._waiting = 0
        self._task = asyncio.create_task(in_time(life, work))
        self._task.add_done_callback(_looked_at)

    async def joined(self) -> bytes:
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._life.end()

    @property
    def has_failed(self) -> bool:
        """Whether there is no payload, and there will be none."""
        if not self._task.done():
            return self._life.is_over
        return self._task.cancelled() or self._task.exception() is not None


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
