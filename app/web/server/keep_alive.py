"""Lines that rest between two requests: they are closed after a while, as uvicorn does, with one timer for many rests.

uvicorn makes a timer at the end of each answer and cancels it at the next request, for a tenth of what a small query
costs.
"""

import asyncio

from app.web.server.slow_clients import Guarded

_NEVER = 0.0


class Resting(Guarded):
    """A line that knows since when nothing has come on it."""

    _rests_since = _NEVER
    _alarm: asyncio.TimerHandle | None = None

    def on_message_begin(self) -> None:
        self._rests_since = _NEVER
        super().on_message_begin()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        super().connection_lost(exc)

    def rest(self) -> None:
        """What `on_response_complete` does where no other request waits."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._rests_since = self.loop.time()
        if self._alarm is None:
            self._alarm = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _look(self) -> None:
        self._alarm = None
        if self._rests_since is _NEVER or self.transport.is_closing():
            return
        left = self._rests_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._alarm = self.loop.call_later(left, self._look)
        else:
            self.transport.close()
