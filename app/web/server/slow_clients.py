"""Clients that send requests too slowly, without end or out of turn: uvicorn waits, and keeps what they send."""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.errors import ErrorCode
from app.web.limits.unread import SlowReaders
from app.web.server.fast_path import request_id
from app.web.server.framing import MAX_HEAD_BYTES, MAX_HEADERS, TOO_MANY_HEADERS, TOO_MUCH_BESIDE, Framed, Refusal
from app.web.server.response_order import Last, Turns
from app.web.wire import parameters
from app.web.wire.cors import CorsPolicy
from app.web.wire.errors import error_body
from app.web.wire.problems import status_headers

logger: Any = structlog.get_logger("http")
MAX_PIPELINED = 1_000
# What all requests of this process may weigh that have not come whole, and what any of them may nevertheless.
MAX_PENDING_BYTES, ALWAYS_PENDING_BYTES = 64_000_000, 16_384
LAST_SECONDS = 2.0


class Pending:
    """What has come of requests that are not whole yet, over all lines."""

    def __init__(self) -> None:
        self.bytes = 0


class Guarded(Framed):
    """uvicorn's protocol with an end to its patience. A request that comes in one piece meets none of it."""

    request_seconds: ClassVar[float]
    max_body_bytes: ClassVar[int]
    cors: ClassVar[CorsPolicy]
    pending: ClassVar[Pending]
    slow_readers: ClassVar[SlowReaders]
    is_whole = True
    _begins_here = False
    _is_deaf = False
    _brings_body = _expects = False
    _received = _beside_body = 0
    _pends = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.flow = Turns(transport, self.pipeline)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._begins_here = self._brings_body = False
        try:
            super().data_received(data)
        except httptools.HttpParserError as error:
            self._refuse_broken(error.__context__)
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
        if self.expect_100_continue and not self.parser.should_upgrade():
            self._end_unless_it_comes_whole()

    def on_body(self, body: bytes) -> None:
        self._brings_body = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.is_there()
        if self._expects:
            self._expects = False
            # An answer that has begun has said that it is the last.
            self.cycle.keep_alive = self.cycle.keep_alive or not self.cycle.response_started
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

    def shutdown(self) -> None:
        self._expects = False
        super().shutdown()

    def _end_unless_it_comes_whole(self) -> None:
        """A client that is answered before it was told to go on may keep the body, or send it: nobody can know."""
        cycle: Any = self.cycle
        self._expects = cycle.keep_alive
        cycle.keep_alive = False
        cycle.transport = Last(self.transport, self._hang_up)

    def _refuse_broken(self, cause: BaseException | None) -> None:
        if isinstance(cause, Refusal):
            self._refuse(cause.status, ErrorCode.BAD_REQUEST, cause.message)
        else:
            self.send_400_response("The request is no HTTP/1.1, or not whole. Send it anew on another connection.")

    def _refuse_headers(self) -> None:
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, ErrorCode.BAD_REQUEST, TOO_MANY_HEADERS)
        self.headers.clear()  # the line may stay for a moment, and they need not

    def send_400_response(self, msg: str) -> None:
        if self.headers and len(self.headers) > MAX_HEADERS:
            self._refuse_headers()
            return
        self._refuse(HTTPStatus.BAD_REQUEST, ErrorCode.BAD_REQUEST, msg)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.slow_readers.add(self.transport)

    def resume_writing(self) -> None:
        self.slow_readers.discard(self.transport)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.slow_readers.discard(self.transport)
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
        self._beside_body = 0 if self._brings_body else self._beside_body + came
        cycle: RequestResponseCycle | None = self.cycle
        allowed = MAX_HEAD_BYTES + (2 * self.max_body_bytes if cycle and cycle.more_body else 0)
        if self._beside_body > MAX_HEAD_BYTES or self._received > allowed:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, ErrorCode.BAD_REQUEST, TOO_MUCH_BESIDE)
        elif len(self.headers) > MAX_HEADERS:
            self._refuse_headers()

    def _has_come(self) -> None:
        self.pending.bytes -= self._pends
        self._received = self._beside_body = self._pends = 0
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
        self.pipeline.clear()
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
        body = error_body(code, message, id)
        head = (
            f"content-type: {parameters.PLAIN_JSON}; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {id}\r\ncache-control: no-store\r\nconnection: close\r\n"
        )
        head += "".join(f"{name.lower()}: {value}\r\n" for name, value in status_headers(status).items())
        of_page = self.cors.header_lines(dict(self.scope["headers"] if self.scope else ()))
        default = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        self.transport.write(b"".join((STATUS_LINE[status], *default, head.encode(), of_page, b"\r\n", body)))
