"""The short lane of HTTP: plain GraphQL requests are answered where uvicorn has read them.

It takes a request after uvicorn has let it in, and gives it back whole when it can't answer it: limits, pipelining,
keep-alive and drain are uvicorn's own.
"""

from typing import Any, cast

import structlog
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.web.quick import WAS_LEFT, Answer, Asked, Headers, Quick

logger: Any = structlog.get_logger("http")


class Lane(HttpToolsProtocol):
    """uvicorn's protocol, which holds a plain request until its body is there."""

    quick: Quick
    max_body_bytes: int
    app: Any
    _held: RequestResponseCycle | None = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if app is not self.app or not self._is_plain(cycle):
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._held = cycle
        else:
            # It has waited behind another one, and its body is there.
            self._answer(cycle)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        cycle, self._held = self._held, None
        if cycle is not None and not cycle.disconnected:
            self._answer(cycle)

    def _is_plain(self, cycle: RequestResponseCycle) -> bool:
        scope: Any = cycle.scope
        if scope["method"] != "POST" or scope["path"] != "/graphql" or scope["query_string"]:
            return False
        sizes = [value for name, value in scope["headers"] if name == b"content-length"]
        if len(sizes) != 1 or self.expect_100_continue:
            return False
        # Above this mark uvicorn stops reading until somebody takes the body.
        return int(sizes[0]) <= min(self.max_body_bytes, HIGH_WATER_LIMIT)

    def _answer(self, cycle: RequestResponseCycle) -> None:
        try:
            asked, answer = self._answered_at_once(cycle)
        except Exception as error:  # the endpoint meets it too, and says it as it should
            logger.warning("the short lane failed", exc_info=error)
            asked = answer = None
        if answer is not None:
            self._write(cycle, answer)
        else:
            super()._start_asgi_task(cycle, self.app if asked is None else self._later(cycle, asked))

    def _answered_at_once(self, cycle: RequestResponseCycle) -> tuple[Asked | None, Answer | None]:
        asked = self.quick.asked(cast(Headers, cycle.scope["headers"]), cycle.body)
        if asked is None or self.flow.write_paused:
            return asked, None
        return asked, self.quick.at_once(asked)

    def _write(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """As the cycle would, in one piece."""
        cycle.response_started = cycle.response_complete = True
        closing = () if cycle.keep_alive else ((b"connection", b"close"),)
        content = [STATUS_LINE[answer.status]]
        for name, value in (*self.server_state.default_headers, *answer.headers, *closing):
            content += (name, b": ", value, b"\r\n")
        self.transport.write(b"".join((*content, b"\r\n", answer.body)))
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
