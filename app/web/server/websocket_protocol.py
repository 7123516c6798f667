"""WebSocket peers that break the protocol below GraphQL: each is told with a code, and none fills the memory."""

from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request, Response
from websockets.protocol import State

MAX_FRAGMENTS = 100
LAST_SECONDS = 2.0


class Strict(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which leaves some of them without an answer, and answers others without end."""

    conn: Any  # its type comes from a library that says too little of it

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated and not self.close_sent and self.conn.handshake_exc is not None:
            self._refuse_handshake()

    def handle_connect(self, event: Request) -> None:
        # Asking twice changes nothing: what is accepted is so once more.
        answer = self.conn.accept(event)
        if answer.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            super().handle_connect(event)
        else:
            self.handshake_initiated = True
            self._refuse(answer)

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close" and not self.handshake_complete:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
            self._refuse(self.conn.reject(HTTPStatus.FORBIDDEN, ""))
        else:
            await super().send(message)

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self._fail(CloseCode.MESSAGE_TOO_BIG, f"A message may have {MAX_FRAGMENTS} frames")

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
        self._say_last(b"".join(self.conn.data_to_send()))

    def handle_ping(self) -> None:
        pongs = b"".join(self.conn.data_to_send())
        # One that has not read the answers to its pings before this one gets no more of them.
        if pongs and not self.disconnected and (self.writable.is_set() or self.conn.state is not State.OPEN):
            self.transport.write(pongs)

    def _refuse(self, answer: Response) -> None:
        self.handshake_complete = True
        self.conn.send_response(answer)
        self._say_last(b"".join(self.conn.data_to_send()))

    def _say_last(self, told: bytes) -> None:
        """And read on for a moment: a line that is closed while more comes in loses what it was told."""
        self.transport.write(told)
        # What the application still has to say reaches nobody; uvicorn would take it for a fault of ours.
        self.close_sent = self.disconnected = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LAST_SECONDS, self.transport.close)

    def _fail(self, code: int, reason: str) -> None:
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def _refuse_handshake(self) -> None:
        """uvicorn forgets to send what the library has to say, and to close."""
        told: list[bytes] = self.conn.data_to_send()
        bare = STATUS_LINE[400] + b"content-length: 0\r\nconnection: close\r\n\r\n"
        self._say_last(b"".join(told) or bare)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
