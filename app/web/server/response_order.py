"""Answers that wait for their turn on a line, and the last of them."""

import asyncio
from collections.abc import Callable, Sized

from uvicorn.protocols.http.flow_control import FlowControl


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
