"""The keep-alive timeout of connections whose requests are answered without ASGI."""

import asyncio
from collections.abc import Callable


class IdleTimer:
    """Closes a connection that has been idle for too long, with one timer for many idle periods.

    uvicorn creates a timer after each response and cancels it at the next request, which takes a tenth of the time of a
    small query.
    """

    __slots__ = ("_loop", "_seconds", "_timer", "idle_since")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.idle_since: float | None = None
        self._loop = loop
        self._seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float, close: Callable[[], object]) -> None:
        """Begin an idle period, which ends when `idle_since` is set to None."""
        self.idle_since = self._loop.time()
        self._seconds = seconds
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._check, close)

    def cancel(self) -> None:
        self.idle_since = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, close: Callable[[], object]) -> None:
        self._timer = None
        if self.idle_since is None:
            return
        remaining = self.idle_since + self._seconds - self._loop.time()
        if remaining > 0:
            self._timer = self._loop.call_later(remaining, self._check, close)
        else:
            close()
