"""The fast lane of HTTP: answers plain GraphQL requests within uvicorn's protocol, bypassing ASGI.

A request is buffered until its body has arrived. If the fast path can't answer it, it goes to the application as if it
had just arrived. Limits, pipelining, keep-alive and shutdown remain uvicorn's.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.lifetime import Lifetime
from app.settings import Settings
from app.web.limits.connections import ConnectionLimit
from app.web.limits.unread import SlowReaders
from app.web.server.fast_path import FastOperation, FastPath, Headers, RawResponse
from app.web.server.http_limits import HttpLimits
from app.web.server.http_protocol import HttpProtocol
from app.web.server.refusal import MAX_HEADERS

PATHS = (b"/graphql", b"/graphql/")
logger: Any = structlog.get_logger("http")


@dataclass(slots=True)
class BufferedRequest:
    """A request that the fast path may answer. None of its headers is repeated."""

    headers: Headers
    keep_alive: bool
    body: bytearray = field(default_factory=bytearray)


class FastLaneProtocol(HttpProtocol):
    """Tries the fast path for plain requests before the application."""

    app: Any
    _buffered: BufferedRequest | None = None
    _operation: FastOperation | None = None
    _lifetime: Lifetime | None = None

    def __init__(self, *, fast_path: FastPath, **arguments: Any) -> None:
        super().__init__(cors=fast_path.cors, **arguments)
        self._fast_path = fast_path

    def on_headers_complete(self) -> None:
        self._buffered = self._buffer()
        if self._buffered is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._buffered is None:
            super().on_body(body)
        else:
            self._buffered.body += body

    def on_message_complete(self) -> None:
        request, self._buffered = self._buffered, None
        if request is None:
            super().on_message_complete()
        else:
            self.complete_request()
            self._respond(request)

    def shutdown(self) -> None:
        if self._buffered is None:
            super().shutdown()
        else:
            # The rest of the request is on its way, and is answered before the connection closes.
            self._buffered.keep_alive = False

    def connection_lost(self, exc: Exception | None) -> None:
        self._buffered = None
        if self._lifetime is not None:
            self._lifetime.end()
        super().connection_lost(exc)

    def _buffer(self) -> BufferedRequest | None:
        """A buffer for the request, if it is plain and no other request goes first."""
        parser: Any = self.parser
        if self.url not in PATHS or parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        if parser.should_upgrade() or self.expect_100_continue or self._is_busy():
            return None
        headers = dict(self.headers)
        size = headers.get(b"content-length")
        # Above this mark uvicorn pauses reading until the application reads the body.
        limit = min(self.limits.max_body_bytes, HIGH_WATER_LIMIT)
        if size is None or int(size) > limit or len(headers) < len(self.headers) or len(headers) > MAX_HEADERS:
            return None
        if self.has_large_head():
            return None
        return BufferedRequest(headers, parser.should_keep_alive())

    def _is_busy(self) -> bool:
        """Whether an earlier request is in progress, or uvicorn may have to refuse this one."""
        cycle: RequestResponseCycle | None = self.cycle
        return bool(cycle and not cycle.response_complete) or bool(self.pipeline) or self.limit_concurrency is not None

    def _respond(self, request: BufferedRequest) -> None:
        try:
            operation = self._fast_path.parse(request.headers, request.body)
            response = None
            if operation is not None and not self.flow.write_paused:
                response = self._fast_path.respond_at_once(operation)
        except Exception as error:  # the application raises it again, and reports it to the client
            logger.warning("the fast path failed", exc_info=error)
            operation = response = None
        if response is None:
            self._forward(request, operation)
        else:
            self._write(response, request.keep_alive)
            self.start_idling()

    def _forward(self, request: BufferedRequest, operation: FastOperation | None) -> None:
        """Process a buffered request as uvicorn would have done while it arrived."""
        self._operation = operation
        super().on_headers_complete()
        self._operation = None
        self.cycle.keep_alive = request.keep_alive
        super().on_body(bytes(request.body))
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        app = app if self._operation is None else self._planned_app(cycle, self._operation)
        super()._start_asgi_task(cycle, self._delayed_app(cycle, app) if self.flow.write_paused else app)

    def _delayed_app(self, cycle: RequestResponseCycle, app: Any) -> Any:
        """An application that starts once the client has read earlier responses, so that no result waits in memory."""

        async def delayed(scope: Any, receive: Any, send: Any) -> None:
            await self.flow.drain()
            if not cycle.disconnected:
                await app(scope, receive, send)

        return delayed

    def _planned_app(self, cycle: RequestResponseCycle, operation: FastOperation) -> Any:
        """The fast path as an ASGI application, for an operation that has to wait for the store."""

        async def planned(scope: Any, receive: Any, send: Any) -> None:
            response = await self._fast_path.respond(operation, self._keep_lifetime)
            if response is None:
                scope["state"].update(self._fast_path.state_of(operation))
                await self.app(scope, receive, send)
                return
            if self.flow.write_paused and not cycle.disconnected:
                await self.flow.drain()
            if not cycle.disconnected:
                cycle.response_started = cycle.response_complete = True
                self._write(response, cycle.keep_alive)
                cycle.on_response()

        return planned

    def _keep_lifetime(self, lifetime: Lifetime) -> None:
        self._lifetime = lifetime

    def _write(self, response: RawResponse, keep_alive: bool) -> None:
        """Write a response in one piece, with the headers that uvicorn's cycle would add."""
        head = [STATUS_LINE[response.status]]
        for name, value in self.server_state.default_headers:
            head += (name, b": ", value, b"\r\n")
        head.append(response.head if keep_alive else response.head + b"connection: close\r\n")
        self.transport.write(b"".join((*head, b"\r\n", response.body)))
        if not keep_alive:
            self.close_after_response()


def http_protocol(
    settings: Settings, fast_path: FastPath, connections: ConnectionLimit, slow_readers: SlowReaders
) -> Any:
    """The protocol factory for uvicorn, which passes arguments of its own for each connection."""
    limits = HttpLimits(
        request_seconds=settings.request_seconds,
        max_body_bytes=settings.max_body_bytes,
        connections=connections,
        slow_readers=slow_readers,
    )
    return partial(FastLaneProtocol, fast_path=fast_path, limits=limits)
