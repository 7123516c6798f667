"""WebSocket clients that break the protocol below GraphQL, or send too fast: each is closed with a code."""

from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request, Response
from websockets.protocol import State

from app.web.limits.socket_quota import MessageRate

MAX_FRAGMENTS = 100
LINGER_SECONDS = 2.0
TOO_MANY_MESSAGES = 4429


class StrictWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which reports each violation to the client and limits the rate of messages.

    Pings and pongs count as messages. The application sees no control frames, so it can't count them.
    """

    conn: Any  # the types of the library are incomplete
    _rate: MessageRate | None = None

    def __init__(self, *, messages_per_second: int, **uvicorn_arguments: Any) -> None:
        super().__init__(**uvicorn_arguments)
        self._messages_per_second = messages_per_second

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated and not self.close_sent and self.conn.handshake_exc is not None:
            self._refuse_malformed_handshake()

    def handle_connect(self, event: Request) -> None:
        # uvicorn calls `accept` again, which gives the same response.
        response = self.conn.accept(event)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            super().handle_connect(event)
        else:
            self.handshake_initiated = True
            self._refuse_handshake(response)

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close" and not self.handshake_complete:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
            self._refuse_handshake(self.conn.reject(HTTPStatus.FORBIDDEN, ""))
        elif message["type"] == "websocket.http.response.body" and self.initial_response is not None:
            self._refuse_with_response(*self.initial_response[:2], message["body"])
        else:
            await super().send(message)

    def handle_text(self, event: Frame) -> None:
        if self._is_within_rate():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        if self._is_within_rate():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self._fail(CloseCode.MESSAGE_TOO_BIG, f"A message may have {MAX_FRAGMENTS} frames")

    def handle_ping(self) -> None:
        if not self._is_within_rate():
            return
        pongs = b"".join(self.conn.data_to_send())
        # A client that has not read its earlier pongs gets no more of them.
        if pongs and not self.disconnected and (self.writable.is_set() or self.conn.state is not State.OPEN):
            self.transport.write(pongs)

    def handle_pong(self, event: Frame) -> None:
        if self._is_within_rate():
            super().handle_pong(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self._fail(CloseCode.INVALID_DATA, "The text is not UTF-8")
        else:
            super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        if self.close_sent:
            return
        close: Any = self.conn.close_sent
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self._linger(b"".join(self.conn.data_to_send()))

    def _is_within_rate(self) -> bool:
        """Count a message, and close the socket if it exceeds the rate. On a closed socket, nothing is counted."""
        now = self.loop.time()
        if self._rate is None:
            self._rate = MessageRate(self._messages_per_second, now)
        if self.close_sent or self._rate.allows(now):
            return True
        self._fail(TOO_MANY_MESSAGES, "Too many messages a second")
        return False

    def _fail(self, code: int, reason: str) -> None:
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def _refuse_handshake(self, response: Response) -> None:
        self.handshake_complete = True
        self.conn.send_response(response)
        self._linger(b"".join(self.conn.data_to_send()))

    def _refuse_with_response(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the application's response, whose body is in one piece."""
        own = [("Date", formatdate(usegmt=True)), ("Connection", "close")]
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        self._refuse_handshake(Response(status, HTTPStatus(status).phrase, Headers([*own, *headers]), body))

    def _refuse_malformed_handshake(self) -> None:
        """Send the library's response and close, which uvicorn does not do."""
        response: list[bytes] = self.conn.data_to_send()
        fallback = STATUS_LINE[400] + b"content-length: 0\r\nconnection: close\r\n\r\n"
        self._linger(b"".join(response) or fallback)

    def _linger(self, last_bytes: bytes) -> None:
        """Send the last bytes and half-close, since a full close would lose them if the client sends more."""
        self.transport.write(last_bytes)
        # uvicorn would report what the application still sends as an error.
        self.close_sent = self.disconnected = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
