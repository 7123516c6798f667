"""uvicorn's request cycles, of which a connection has one per request, and their order on the connection."""

import asyncio
from collections.abc import Callable, Sized
from typing import cast

from uvicorn._types import HTTPScope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class LastResponseTransport:
    """The transport of a connection's last response, which calls `close` in its own way."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class PipelineFlowControl(FlowControl):
    """Flow control that resumes reading only once no request is queued.

    uvicorn resumes after each response, so that the queue would grow.
    """

    def __init__(self, transport: asyncio.Transport, queue: Sized) -> None:
        super().__init__(transport)
        self._queue = queue

    def resume_reading(self) -> None:
        if not self._queue:
            super().resume_reading()


def is_responding(cycle: RequestResponseCycle | None) -> bool:
    """Whether the request has arrived, and its response is in progress."""
    return cycle is not None and not cycle.response_complete and not cycle.more_body


def has_started_response(cycle: RequestResponseCycle | None) -> bool:
    """Whether the response is in progress, even if the request has not arrived completely."""
    return is_responding(cycle) or (cycle is not None and cycle.response_started and not cycle.response_complete)


def expects_body(cycle: RequestResponseCycle | None) -> bool:
    return cycle is not None and cycle.more_body


def was_answered_early(cycle: RequestResponseCycle | None) -> bool:
    """Whether the response is complete, but the request is not."""
    return cycle is not None and cycle.response_complete and cycle.more_body


def make_last(cycle: RequestResponseCycle, close: Callable[[], None]) -> None:
    """Have the connection closed by `close` after the cycle's response."""
    cycle.keep_alive = False
    cycle.transport = LastResponseTransport(cycle.transport, close)  # type: ignore[assignment]


def release(cycle: RequestResponseCycle) -> None:
    """Forget a request whose response is complete: its connection may be idle for long."""
    cycle.scope, cycle.body = cast(HTTPScope, {}), bytearray()


def disconnect(cycle: RequestResponseCycle | None) -> None:
    """Tell the application, if it runs, that its client has disconnected."""
    if cycle is not None:
        cycle.disconnected, cycle.waiting_for_100_continue = True, False
        cycle.message_event.set()
