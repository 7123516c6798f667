"""The short lane of HTTP: plain GraphQL requests are answered where uvicorn has read them.

It takes a request after uvicorn has let it in, and gives it back whole when it can't answer it: limits, pipelining,
keep-alive and drain are uvicorn's own.
"""

from typing import Any, NamedTuple

import structlog
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.web.quick import WAS_LEFT, Answer, Asked, Headers, Quick

logger: Any = structlog.get_logger("http")


class Plain(NamedTuple):
    """A request that may be answered here, each of its headers there once."""

    cycle: RequestResponseCycle
    headers: Headers


class Lane(HttpToolsProtocol):
    """uvicorn's protocol, which holds a plain request until its body is there."""

    quick: Quick
    max_body_bytes: int
    app: Any
    _held: Plain | None = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        plain = self._plain(cycle) if app is self.app else None
        if plain is None:
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._held = plain
        else:
            # It has waited behind another one, and its body is there.
            self._answer(plain)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        plain, self._held = self._held, None
        if plain is not None and not plain.cycle.disconnected:
            self._answer(plain)

    def _plain(self, cycle: RequestResponseCycle) -> Plain | None:
        scope: Any = cycle.scope
        if scope["method"] != "POST" or scope["path"] != "/graphql" or scope["query_string"]:
            return None
        headers = dict(scope["headers"])
        size = headers.get(b"content-length")
        if size is None or len(headers) < len(scope["headers"]) or self.expect_100_continue:
            return None
        # Above this mark uvicorn stops reading until somebody takes the body.
        return Plain(cycle, headers) if int(size) <= min(self.max_body_bytes, HIGH_WATER_LIMIT) else None

    def _answer(self, plain: Plain) -> None:
        try:
            asked, answer = self._answered_at_once(plain)
        except Exception as error:  # the endpoint meets it too, and says it as it should
            logger.warning("the short lane failed", exc_info=error)
            asked = answer = None
        if answer is not None:
            self._write(plain.cycle, answer)
        else:
            app = self.app if asked is None else self._later(plain.cycle, asked)
            super()._start_asgi_task(plain.cycle, app)

    def _answered_at_once(self, plain: Plain) -> tuple[Asked | None, Answer | None]:
        asked = self.quick.asked(plain.headers, plain.cycle.body)
        if asked is None or self.flow.write_paused:
            return asked, None
        return asked, self.quick.at_once(asked)

    def _write(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """As the cycle would, in one piece."""
        cycle.response_started = cycle.response_complete = True
        head = [STATUS_LINE[answer.status]]
        for name, value in self.server_state.default_headers:
            head += (name, b": ", value, b"\r\n")
        head.append(answer.head if cycle.keep_alive else answer.head + b"connection: close\r\n")
        self.transport.write(b"".join((*head, b"\r\n", answer.body)))
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _later(self, cycle: RequestResponseCycle, asked: Asked) -> Any:
        """The same as an ASGI application, so that uvicorn looks after it."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            answer = await self.quick.later(asked)
            if answer is None:
                scope["state"][WAS_LEFT] = True
                await self.app(scope, receive, send)
                return
            if self.flow.write_paused and not cycle.disconnected:
                await self.flow.drain()
            if not cycle.disconnected:
                self._write(cycle, answer)

        return app


def lane(quick: Quick, max_body_bytes: int) -> Any:
    """The protocol as uvicorn takes it: a class."""
    return type("Protocol", (Lane,), {"quick": quick, "max_body_bytes": max_body_bytes})
