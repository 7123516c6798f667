"""WebSocket clients that send too many messages a second; pings and pongs are messages, too."""

from typing import ClassVar

from websockets.frames import Frame

from app.web.limits.socket_quota import MessageRate
from app.web.server.websocket_protocol import Strict

TOO_MANY_MESSAGES = 4429


class Paced(Strict):
    """Closed by the line itself, since the application sees no control frames."""

    messages_per_second: ClassVar[int]
    _pace: MessageRate | None = None

    def handle_text(self, event: Frame) -> None:
        if self._keeps_its_pace():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        if self._keeps_its_pace():
            super().handle_bytes(event)

    def handle_ping(self) -> None:
        if self._keeps_its_pace():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if self._keeps_its_pace():
            super().handle_pong(event)

    def _keeps_its_pace(self) -> bool:
        """Whether one more message may come. On a line that is closed already it makes no difference."""
        now = self.loop.time()
        if self._pace is None:
            self._pace = MessageRate(self.messages_per_second, now)
        if self.close_sent or self._pace.allows(now):
            return True
        self._fail(TOO_MANY_MESSAGES, "Too many messages a second")
        return False
