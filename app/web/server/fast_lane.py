"""The short lane of HTTP: plain GraphQL requests are answered where uvicorn has read them.

A request is held until its body is there. What can't be answered here is let in whole, as if it had just come: limits,
pipelining, keep-alive and drain are uvicorn's own.
"""

from dataclasses import dataclass, field
from typing import Any

import structlog
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.lifetime import Lifetime
from app.web.limits.connections import ConnectionLimit
from app.web.limits.unread import SlowReaders
from app.web.server.connection_limit import Crowded
from app.web.server.fast_path import FastPath, Headers, Operation, RawResponse
from app.web.server.framing import MAX_HEADERS
from app.web.server.slow_clients import Pending

PLACES = (b"/graphql", b"/graphql/")
logger: Any = structlog.get_logger("http")


@dataclass(slots=True)
class Held:
    """A request that may be answered here, each of its headers there once."""

    headers: Headers
    keep_alive: bool
    body: bytearray = field(default_factory=bytearray)


class Lane(Crowded):
    """uvicorn's protocol, which has a look at plain requests first."""

    quick: FastPath
    app: Any
    _held: Held | None = None
    _asked: Operation | None = None
    _life: Lifetime | None = None

    def on_headers_complete(self) -> None:
        self._held = self._plain()
        if self._held is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held.body += body

    def on_message_complete(self) -> None:
        held, self._held = self._held, None
        if held is None:
            super().on_message_complete()
        else:
            self.is_there()
            self._answer(held)

    def shutdown(self) -> None:
        if self._held is None:
            super().shutdown()
        else:
            # The rest of it is on its way, and is answered before the line is closed.
            self._held.keep_alive = False

    def connection_lost(self, exc: Exception | None) -> None:
        self._held = None
        if self._life is not None:
            self._life.end()
        super().connection_lost(exc)

    def _plain(self) -> Held | None:
        parser: Any = self.parser
        if self.url not in PLACES or parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        if parser.should_upgrade() or self.expect_100_continue or self._is_busy():
            return None
        headers = dict(self.headers)
        size = headers.get(b"content-length")
        # Above this mark uvicorn stops reading until somebody takes the body.
        if size is None or int(size) > min(self.max_body_bytes, HIGH_WATER_LIMIT) or len(headers) < len(self.headers):
            return None
        if len(headers) > MAX_HEADERS:
            return None
        return Held(headers, parser.should_keep_alive())

    def _is_busy(self) -> bool:
        """Whether another request goes first, or uvicorn may have to refuse this one."""
        cycle: RequestResponseCycle | None = self.cycle
        return bool(cycle and not cycle.response_complete) or bool(self.pipeline) or self.limit_concurrency is not None

    def _answer(self, held: Held) -> None:
        try:
            asked = self.quick.parse(held.headers, held.body)
            answer = None if asked is None or self.flow.write_paused else self.quick.respond_at_once(asked)
        except Exception as error:  # the endpoint meets it too, and says it as it should
            logger.warning("the short lane failed", exc_info=error)
            asked = answer = None
        if answer is None:
            self._let_in(held, asked)
        else:
            self._write(answer, held.keep_alive)
            self.rest()

    def _let_in(self, held: Held, asked: Operation | None) -> None:
        """As uvicorn would have done when the headers were there, and then the body."""
        self._asked = asked
        super().on_headers_complete()
        self._asked = None
        self.cycle.keep_alive = held.keep_alive
        super().on_body(bytes(held.body))
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        app = app if self._asked is None else self._later(cycle, self._asked)
        super()._start_asgi_task(cycle, self._in_turn(cycle, app) if self.flow.write_paused else app)

    def _in_turn(self, cycle: RequestResponseCycle, app: Any) -> Any:
        """Begins nothing before the client has taken what was said before, which would only wait beside it."""

        async def later(scope: Any, receive: Any, send: Any) -> None:
            await self.flow.drain()
            if not cycle.disconnected:
                await app(scope, receive, send)

        return later

    def _later(self, cycle: RequestResponseCycle, asked: Operation) -> Any:
        """An answer that is waited for, as an ASGI application, so that uvicorn looks after it."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            answer = await self.quick.respond(asked, self._begin)
            if answer is None:
                scope["state"].update(self.quick.state_of(asked))
                await self.app(scope, receive, send)
                return
            if self.flow.write_paused and not cycle.disconnected:
                await self.flow.drain()
            if not cycle.disconnected:
                cycle.response_started = cycle.response_complete = True
                self._write(answer, cycle.keep_alive)
                cycle.on_response()

        return app

    def _begin(self, life: Lifetime) -> None:
        self._life = life

    def _write(self, answer: RawResponse, keep_alive: bool) -> None:
        """As uvicorn's cycle would, in one piece."""
        head = [STATUS_LINE[answer.status]]
        for name, value in self.server_state.default_headers:
            head += (name, b": ", value, b"\r\n")
        head.append(answer.head if keep_alive else answer.head + b"connection: close\r\n")
        self.transport.write(b"".join((*head, b"\r\n", answer.body)))
        if not keep_alive:
            self.end()


def lane(
    quick: FastPath, max_body_bytes: int, request_seconds: float, lines: ConnectionLimit, slow_readers: SlowReaders
) -> Any:
    """The protocol as uvicorn takes it: a class."""
    settings = {"quick": quick, "max_body_bytes": max_body_bytes, "request_seconds": request_seconds}
    shared = {"lines": lines, "cors": quick.cors, "pending": Pending(), "slow_readers": slow_readers}
    return type("Protocol", (Lane,), {**settings, **shared})
