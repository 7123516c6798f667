"""The record of one operation, from its start to its end."""

from collections.abc import Callable, Mapping
from contextvars import Token
from time import perf_counter
from typing import Any, Self

from app.api.operation.notes import UNDER_WAY, Notes
from app.errors import ErrorCode
from app.model import Caller

HTTP, WEBSOCKET, EVENTS = "http", "websocket", "events"
_FAULTS = {ErrorCode.INTERNAL_SERVER_ERROR, ErrorCode.UNAVAILABLE, ErrorCode.TIMEOUT}


class OperationRecord(Notes):
    """The facts about an operation in progress: `with operations.record(HTTP, request_id) as record:`."""

    __slots__ = (
        "_began",
        "_on_end",
        "_outer",
        "caller",
        "items",
        "name",
        "request_id",
        "text",
        "transport",
        "variables",
    )
    _outer: Token[Notes | None]
    _began: float

    def __init__(self, transport: str, request_id: str, on_end: Callable[["OperationRecord", float], None]) -> None:
        super().__init__()
        self._on_end: Callable[[OperationRecord, float], None] | None = on_end
        self.transport = transport
        self.request_id = request_id
        self.text: str | None = None
        self.name: str | None = None
        self.variables: Mapping[str, Any] | None = None
        self.caller: Caller | None = None
        self.items = 0

    def set_operation(self, text: str | None, name: str | None, variables: Mapping[str, Any] | None) -> None:
        self.text, self.name, self.variables = text, name, variables

    @property
    def has_fault(self) -> bool:
        """Whether one of its errors is the server's, rather than the client's."""
        return not _FAULTS.isdisjoint(self.codes)

    def start_watch(self) -> None:
        """Note that a watch has started; it lasts until its client ends it."""

    def discard(self) -> None:
        """Do not count the operation here: it is counted where it is executed."""
        self._on_end = None

    def __enter__(self) -> Self:
        self._outer = UNDER_WAY.set(self)
        self._began = perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        UNDER_WAY.reset(self._outer)
        if self._on_end is not None:
            self._on_end(self, perf_counter() - self._began)
        # Cancelled timers keep the context of the operation, and with it this record, until their time has come.
        self.text = self.name = self.variables = None
