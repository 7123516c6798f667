"""Clients that send requests too slowly, without end or out of turn: uvicorn waits, and keeps what they send."""

import asyncio
from collections.abc import Callable, Sized
from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.errors import ErrorCode
from app.web import parameters, refusal
from app.web.origins import Origins
from app.web.quick import request_id

logger: Any = structlog.get_logger("http")
# What a request may weigh before its headers are complete, and beyond its body.
MAX_HEAD_BYTES = 131_072
MAX_PIPELINED = 1_000
# Each weighs fifty times what it takes on the line when it is small.
MAX_HEADERS = 200
# What all requests of this process may weigh that have not come whole, and what any of them may nevertheless.
MAX_PENDING_BYTES, ALWAYS_PENDING_BYTES = 64_000_000, 16_384
LAST_SECONDS = 2.0


class Pending:
    """What has come of requests that are not whole yet, over all lines."""

    def __init__(self) -> None:
        self.bytes = 0


class Guarded(HttpToolsProtocol):
    """uvicorn's protocol with an end to its patience. A request that comes in one piece meets none of it."""

    request_seconds: ClassVar[float]
    max_body_bytes: ClassVar[int]
    origins: ClassVar[Origins]
    pending: ClassVar[Pending]
    is_whole = True
    _begins_here = False
    _is_deaf = False
    _received = 0
    _pends = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.flow = Turns(transport, self.pipeline)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._begins_here = False
        super().data_received(data)
        if not self.is_whole:
            # Of a piece in which it begins, most may be requests before it.
            self._wait_for_the_rest(1 if self._begins_here else len(data), len(data))

    def on_message_begin(self) -> None:
        self.is_whole = False
        self._begins_here = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise OverflowError("too many requests are sent before the first is answered")
        if len(self.headers) > MAX_HEADERS:
            raise OverflowError("a request has too many headers")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.is_there()
        super().on_message_complete()

    def is_there(self) -> None:
        """A request has come whole; another one may have begun behind it in the same piece."""
        self.is_whole = True
        if self._late is not None:
            self._has_come()

    def handle_websocket_upgrade(self) -> None:
        self._has_come()
        if self.pipeline or (self.cycle and not self.cycle.response_complete):
            # The answer that is under way would be written between the frames, and nobody told it when the client goes.
            self._end_after_the_answers()
        else:
            super().handle_websocket_upgrade()

    def _refuse_headers(self) -> None:
        told = f"The request has more than {MAX_HEADERS} headers."
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, ErrorCode.BAD_REQUEST, told)
        self.headers.clear()  # the line may stay for a moment, and they need not

    def send_400_response(self, msg: str) -> None:
        if self.headers and len(self.headers) > MAX_HEADERS:
            self._refuse_headers()
            return
        self._refuse(HTTPStatus.BAD_REQUEST, ErrorCode.BAD_REQUEST, msg)

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_come()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(self.request_seconds, self._cut)

    def _wait_for_the_rest(self, came: int, held: int) -> None:
        self._received += came
        self._pends += held
        self.pending.bytes += held
        if self._is_deaf or self.transport.is_closing():
            return
        if self._late is None:
            self._wait()
        if self.pending.bytes > MAX_PENDING_BYTES and self._pends > ALWAYS_PENDING_BYTES:
            told = "The gateway is sent more at once than it can hold. Nothing was begun; try again in a moment."
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.UNAVAILABLE, told)
            return
        cycle: RequestResponseCycle | None = self.cycle
        if self._received > MAX_HEAD_BYTES + (2 * self.max_body_bytes if cycle and cycle.more_body else 0):
            told = f"What comes beside the body is larger than {MAX_HEAD_BYTES} bytes."
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, ErrorCode.BAD_REQUEST, told)
        elif len(self.headers) > MAX_HEADERS:
            self._refuse_headers()

    def _has_come(self) -> None:
        self.pending.bytes -= self._pends
        self._received = self._pends = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _cut(self) -> None:
        self._late = None
        if self.flow.read_paused or self._answers_another():
            self._wait()
        elif self._received:
            told = f"The request has not come whole within {self.request_seconds:g} seconds."
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, ErrorCode.TIMEOUT, told)
        else:
            self.transport.close()

    def _answers_another(self) -> bool:
        """Whether an earlier request is under way, which has come whole."""
        cycle: RequestResponseCycle | None = self.cycle
        return bool(cycle and not cycle.response_complete and not cycle.more_body)

    def _refuse(self, status: HTTPStatus, code: ErrorCode, message: str) -> None:
        """Say what is wrong with the request that is coming in, and end the line."""
        cycle: Any = self.cycle
        in_an_answer = cycle and not cycle.response_complete and (cycle.response_started or not cycle.more_body)
        if self.transport.is_closing():
            return
        if self.pipeline or in_an_answer:
            self._end_after_the_answers()
            return
        if not (cycle and cycle.response_complete and cycle.more_body):
            self._tell(status, code, message)
        self._hang_up()

    def _end_after_the_answers(self) -> None:
        """What was asked before is still answered, and in the midst of that nothing else can be said."""
        self._is_deaf = True
        self._has_come()
        cycle: Any = self.cycle
        cycle.keep_alive = False
        cycle.transport = Last(self.transport, self._hang_up)
        if cycle.more_body:
            self._late = self.loop.call_later(self.request_seconds, self.transport.abort)

    def end(self) -> None:
        """Close the line after an answer that was its last."""
        if self._is_deaf:
            self._hang_up()
        else:
            self.transport.close()

    def _hang_up(self) -> None:
        """A line that is closed while more comes in is reset, and the client may never see what it was told."""
        self._is_deaf = True
        cycle: Any = self.cycle
        if cycle is not None:
            cycle.disconnected, cycle.waiting_for_100_continue = True, False
            cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._has_come()
        self._late = self.loop.call_later(LAST_SECONDS, self.transport.abort)

    def _tell(self, status: HTTPStatus, code: ErrorCode, message: str) -> None:
        id = request_id()
        logger.info("refused", request_id=id, status=int(status), code=str(code), message=message)
        body = refusal.body(code, message, id)
        head = (
            f"content-type: {parameters.PLAIN_JSON}; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {id}\r\ncache-control: no-store\r\nconnection: close\r\n"
        )
        head += "".join(f"{name}: {value}\r\n" for name, value in refusal.retry_after(status).items())
        of_page = self.origins.lines(dict(self.headers or ()))
        default = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        self.transport.write(b"".join((STATUS_LINE[status], *default, head.encode(), of_page, b"\r\n", body)))


class Last:
    """The line as its last answer has it when something broken follows: what is coming in is read before it closes."""

    def __init__(self, transport: asyncio.Transport, hang_up: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = hang_up


class Turns(FlowControl):
    """Reads on only when nobody waits for the turn: uvicorn does after each answer, and the line of waiters grows."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()
