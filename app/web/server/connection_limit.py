"""When too many connections are open, those on which nothing is asked make room, and who finds none is told.

So neither can lines without end that say nothing use up the process's files, nor lock out those who ask for its health.
"""

import asyncio
from http import HTTPStatus
from typing import ClassVar, cast

from app.errors import ErrorCode
from app.web.limits.connections import RESERVE, ConnectionLimit
from app.web.server.keep_alive import Resting

ALWAYS_ANSWERED = (b"/livez", b"/readyz", b"/metrics")
# A new line has so long to say what it wants; on one too many that is all.
GRACE_SECONDS = 1.0
BETWEEN_LOOKS = 0.1
MANY = 2**31


class Crowded(Resting):
    """A line among others. `lines` is what is known of them all."""

    lines: ClassVar[ConnectionLimit]
    limit_concurrency: int | None
    _made_at = 0.0
    _is_too_many = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._made_at = self.loop.time()
        self.lines.open = self.connections
        if len(self.connections) > self.lines.most and not self._others_make_room():
            self._may_ask_for_health()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_too_many:
            self.lines.reserve.pop(self, None)
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        if self._is_too_many and self.url.partition(b"?")[0] not in ALWAYS_ANSWERED:
            raise OverflowError("too many connections")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._is_too_many:
            self.lines.turned_away["refused"] += 1
            told = "The gateway has too many connections. Try again in a moment."
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.UNAVAILABLE, told)
        else:
            super().send_400_response(msg)

    def _cut(self) -> None:
        if self._is_too_many and not self._answers_another():
            self.transport.close()
        else:
            super()._cut()

    def _others_make_room(self) -> bool:
        """Close a tenth of the lines, those that have waited for their clients the longest."""
        now, lines = self.loop.time(), self.lines
        if now < lines.looked_at + BETWEEN_LOOKS:
            return False
        lines.looked_at = now
        others = (one for one in cast(set[object], self.connections) if isinstance(one, Crowded))
        waiting = sorted((one for one in others if one._waits(now)), key=lambda one: one._since)
        leaving = waiting[: max(1, lines.most // 10)]
        for one in leaving:
            self.connections.discard(one)  # its place is free at once
            one.transport.close()
        lines.turned_away["idle"] += len(leaving)
        return bool(leaving)

    @property
    def _since(self) -> float:
        return self._rests_since or self._made_at

    def _waits(self, now: float) -> bool:
        """Whether it is the client's turn, and has been for a while."""
        return now > self._since + GRACE_SECONDS and not self._answers_another() and not self.transport.is_closing()

    def _may_ask_for_health(self) -> None:
        """Take a place of the few for that, if need be from the one who has had its own the longest."""
        reserve = cast(dict[Crowded, None], self.lines.reserve)
        if len(reserve) >= RESERVE:
            oldest = next(iter(reserve))
            del reserve[oldest]
            self.connections.discard(oldest)
            oldest.transport.close()
            self.lines.turned_away["refused"] += 1
        reserve[self] = None
        self._is_too_many = True
        self.limit_concurrency = MANY  # which has the short lane leave its requests
        self.timeout_keep_alive = 0
        self._has_come()
        self._late = self.loop.call_later(GRACE_SECONDS, self._cut)
