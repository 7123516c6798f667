"""HTTP connections with deadlines and limits: uvicorn waits for slow clients forever, and holds all that they send."""

import asyncio
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, cast

import httptools

from app.web.limits import connections
from app.web.server import cycles, refusal
from app.web.server.framing import StrictHttpProtocol
from app.web.server.http_limits import HttpLimits, PartialRequest
from app.web.server.keep_alive import IdleTimer
from app.web.server.refusal import MAX_HEAD_BYTES, MAX_HEADERS, HttpRefusal
from app.web.wire.cors import CorsPolicy

MAX_PIPELINED = 1_000
LINGER_SECONDS = 2.0
HEALTH_PATHS = (b"/livez", b"/readyz", b"/metrics")
_UNLIMITED = 2**31


class HttpProtocol(StrictHttpProtocol):
    """Cuts off slow clients and those that send too much, and closes idle connections when there are too many.

    Little of this runs for a request that arrives in one piece.
    """

    limit_concurrency: int | None
    _is_complete = True
    _starts_in_piece = _has_body_in_piece = False
    _ignores_input = False
    _restores_keep_alive = False
    _is_over_limit = False
    _connected_at = 0.0
    _piece_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def __init__(self, *, limits: HttpLimits, cors: CorsPolicy, **uvicorn_arguments: Any) -> None:
        super().__init__(**uvicorn_arguments)
        self.limits = limits
        self._cors = cors
        self._partial = PartialRequest(limits)
        self._idle = IdleTimer(self.loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.flow = cycles.PipelineFlowControl(transport, self.pipeline)
        self._connected_at = self.loop.time()
        self._await_request()
        limit = self.limits.connections
        limit.open = self.connections
        if len(self.connections) > limit.max and not limit.close_idle(self._http_connections(), self._connected_at):
            self._serve_only_health()

    def data_received(self, data: bytes) -> None:
        if self._ignores_input:
            return
        self._starts_in_piece = self._has_body_in_piece = False
        self._piece_bytes = len(data)
        try:
            super().data_received(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, HttpRefusal) else self._malformed())
        if not self._is_complete:
            # Most of a piece in which the request starts may belong to requests before it.
            self._count(1 if self._starts_in_piece else len(data), len(data))

    def on_message_begin(self) -> None:
        self._idle.idle_since = None
        self._is_complete = False
        self._starts_in_piece = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._is_over_limit and self.url.partition(b"?")[0] not in HEALTH_PATHS:
            raise self._over_limit()
        if len(self.pipeline) >= MAX_PIPELINED:
            raise HttpRefusal(HTTPStatus.BAD_REQUEST, "Too many requests are pipelined.")
        if len(self.headers) > MAX_HEADERS:
            raise refusal.too_many_headers()
        if self.has_large_head():
            raise refusal.head_too_large()
        super().on_headers_complete()
        if self.expect_100_continue and not self.parser.should_upgrade():
            self._close_unless_complete()

    def has_large_head(self) -> bool:
        """Whether the head exceeds its limit. Only one that arrives in a large piece, or in several, is measured."""
        if self._starts_in_piece and self._piece_bytes <= MAX_HEAD_BYTES:
            return False
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES

    def on_body(self, body: bytes) -> None:
        self._has_body_in_piece = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.complete_request()
        if self._restores_keep_alive:
            self._restores_keep_alive = False
            # A response that has started has already announced that it is the last.
            self.cycle.keep_alive = self.cycle.keep_alive or not self.cycle.response_started
        super().on_message_complete()

    def complete_request(self) -> None:
        """Stop the deadline of a request that has arrived. Another may have started in the same piece."""
        self._is_complete = True
        if self._timer is not None:
            self._stop_waiting()

    def handle_websocket_upgrade(self) -> None:
        self._stop_waiting()
        if self.pipeline or (self.cycle and not self.cycle.response_complete):
            # The response in progress would be written between the frames, and never learn of a disconnect.
            self._finish_responses()
        else:
            super().handle_websocket_upgrade()

    def shutdown(self) -> None:
        self._restores_keep_alive = False
        super().shutdown()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.limits.slow_readers.add(self.transport)

    def resume_writing(self) -> None:
        self.limits.slow_readers.discard(self.transport)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.limits.slow_readers.discard(self.transport)
        self._idle.cancel()
        self._stop_waiting()
        if self._is_over_limit:
            self.limits.connections.discard_from_reserve(self)
        super().connection_lost(exc)

    @property
    def idle_since(self) -> float:
        return self._idle.idle_since or self._connected_at

    def is_idle(self, now: float) -> bool:
        """Whether the server has waited for the client for longer than the grace period."""
        has_waited = now > self.idle_since + connections.GRACE_SECONDS
        return has_waited and not cycles.is_responding(self.cycle) and not self.transport.is_closing()

    def evict(self) -> None:
        """Close the connection, and stop counting it at once."""
        self.connections.discard(self)
        self.transport.close()

    def on_response_complete(self) -> None:
        if not self.pipeline and self.cycle.response_complete:
            if self.scope is self.cycle.scope:
                self.scope = cast(Any, None)
            cycles.release(self.cycle)
        super().on_response_complete()

    def start_idling(self) -> None:
        """Do what `on_response_complete` does when no request is queued."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self._idle.start(self.timeout_keep_alive, self.transport.close)

    def close_after_response(self) -> None:
        if self._ignores_input:
            self._linger()
        else:
            self.transport.close()

    def _http_connections(self) -> Iterator["HttpProtocol"]:
        return (one for one in cast(set[object], self.connections) if isinstance(one, HttpProtocol))

    def _serve_only_health(self) -> None:
        """Answer only health checks, for a moment, on a connection over the limit."""
        self._is_over_limit = True
        self.limits.connections.add_to_reserve(self)
        self.limit_concurrency = _UNLIMITED  # which keeps requests from the fast lane
        self.timeout_keep_alive = 0
        self._start_timer(connections.GRACE_SECONDS, self._time_out)

    def _close_unless_complete(self) -> None:
        """A client that gets its response without 100 Continue may send the body or not, so nothing may follow it."""
        self._restores_keep_alive = self.cycle.keep_alive
        cycles.make_last(self.cycle, self._linger)

    def _count(self, received: int, held: int) -> None:
        """Count a piece of an incomplete request, and refuse the request if it exceeds a limit."""
        self._partial.add(received, held, self._has_body_in_piece)
        if self._ignores_input or self.transport.is_closing():
            return
        if self._timer is None:
            self._await_request()
        if (reason := self._partial.refusal(cycles.expects_body(self.cycle), len(self.headers))) is not None:
            self._refuse(reason)

    def _await_request(self) -> None:
        self._start_timer(self.limits.request_seconds, self._time_out)

    def _start_timer(self, seconds: float, callback: Callable[[], object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, callback)

    def _stop_waiting(self) -> None:
        self._partial.reset()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        if self._is_over_limit and not cycles.is_responding(self.cycle):
            self.transport.close()
        elif self.flow.read_paused or cycles.is_responding(self.cycle):
            self._await_request()
        elif self._partial.received:
            self._refuse(refusal.timed_out(self.limits.request_seconds))
        else:
            self.transport.close()

    def _over_limit(self) -> HttpRefusal:
        self.limits.connections.turned_away["refused"] += 1
        return refusal.unavailable("The gateway has too many connections.")

    def _malformed(self) -> HttpRefusal:
        if self._is_over_limit:
            return self._over_limit()
        if self.headers and len(self.headers) > MAX_HEADERS:
            return refusal.too_many_headers()
        return refusal.malformed()

    def _refuse(self, reason: HttpRefusal) -> None:
        """Respond to the incoming request with an error, and end the connection."""
        if self.transport.is_closing():
            return
        if self.pipeline or cycles.has_started_response(self.cycle):
            self._finish_responses()
            return
        if not cycles.was_answered_early(self.cycle):
            cors_lines = self._cors.header_lines(dict(self.scope["headers"] if self.scope else ()))
            self.transport.write(reason.response(self.server_state.default_headers, cors_lines))
        if self.headers:
            self.headers.clear()  # they would take memory while the connection lingers
        self._linger()

    def _finish_responses(self) -> None:
        """Ignore further input, and end the connection after the responses to earlier requests."""
        self._ignores_input = True
        self._stop_waiting()
        cycles.make_last(self.cycle, self._linger)
        if self.cycle.more_body:
            self._start_timer(self.limits.request_seconds, self.transport.abort)

    def _linger(self) -> None:
        """Half-close the connection. A full close would reset it if more arrives, and the client lose the response."""
        self._ignores_input = True
        self.pipeline.clear()
        cycles.disconnect(self.cycle)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._stop_waiting()
        self._start_timer(LINGER_SECONDS, self.transport.abort)
