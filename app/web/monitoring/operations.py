"""What becomes of each operation: counted, timed and, where the settings ask for it, written into the log.

A line names the operation, its document by a hash, its tenant and its codes; never a variable, a token, or a piece of
the document.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from math import inf
from time import perf_counter
from typing import Any

import structlog

from app.documents.summaries import LONGEST_NAME, UNKNOWN, Summaries, Summary
from app.errors import ErrorCode
from app.model import Caller
from app.settings import Settings
from app.web.monitoring.histogram import Timings
from app.web.monitoring.operation import HTTP, Running
from app.web.monitoring.traces import TracedRunning, Traces

logger: Any = structlog.get_logger("operations")
# What a client calls an operation of which nothing was read; any other text is not written down.
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_NOT_PARSED = {ErrorCode.GRAPHQL_PARSE_FAILED, ErrorCode.QUERY_TOO_COMPLEX, ErrorCode.RATE_LIMITED}


class Operations:
    """The figures of all operations of this process, and the lines about some."""

    def __init__(self, descriptions: Summaries, settings: Settings, traces: Traces | None = None) -> None:
        self._descriptions = descriptions
        self._traces = traces
        self._told = settings.operation_log
        always, slow = self._told == "all", self._told in ("slow", "all")
        self._told_from = 0.0 if always else settings.slow_operation_seconds if slow else inf
        self.timings: defaultdict[tuple[str, str], Timings] = defaultdict(Timings)
        self._at_once = self.timings["query", "ok"]
        self.errors: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.watches: set[Running] = set()
        self._items_of_ended = 0

    @property
    def items(self) -> int:
        """How many items were sent to watches."""
        return self._items_of_ended + sum(watch.items for watch in self.watches)

    def at_once(self, text: str, name: str | None, variables: Any, caller: Caller, id: str, began: float) -> None:
        """A query has been answered; it is in the way of every small one, so it does little."""
        seconds = perf_counter() - began
        self._at_once.add(seconds)
        if seconds >= self._told_from:
            running = Running(HTTP, id, self._over)
            running.asks(text, name, variables)
            running.caller = caller
            self._tell("operation", running, self._descriptions.of(text, name), seconds)

    def running(self, transport: str, request_id: str, carrier: Mapping[str, str] | None = None) -> Running:
        """One operation; `carrier` may have the header that names the span of who asks."""
        if self._traces is None:
            return Running(transport, request_id, self._over)
        return TracedRunning(transport, request_id, self._over, self._traces, self._descriptions, carrier)

    def watch_begins(self, running: Running) -> None:
        self.watches.add(running)
        running.begins_to_watch()
        if self._told == "all":
            self._tell("watch started", running, self._described(running), None)

    def _over(self, running: Running, seconds: float) -> None:
        if running in self.watches:
            self.watches.remove(running)
            self._items_of_ended += running.items
        if running.text is None and not running.codes:
            return  # a request that asks for no operation, such as OPTIONS
        described = self._described(running)
        self.timings[described.kind, _result(running)].add(seconds)
        if running.codes or running.refusals:
            self.errors.update(running.codes)
            self.refusals.update(running.refusals)
        if running.text is not None and self._is_told(running, described, seconds):
            self._tell("operation", running, described, seconds)

    def _is_told(self, running: Running, described: Summary, seconds: float) -> bool:
        if self._told in ("all", "off"):
            return self._told == "all"
        # A watch lasts as long as its client likes.
        is_slow = seconds >= self._told_from and described.kind != "subscription"
        return is_slow or bool(running.codes)

    def _described(self, running: Running) -> Summary:
        if running.text is None or not _NOT_PARSED.isdisjoint(running.codes):
            called = running.name if running.name is not None and _NAME.fullmatch(running.name) else None
            return Summary(UNKNOWN, "", called and called[:LONGEST_NAME])
        return self._descriptions.of(running.text, running.name)

    def _tell(self, event: str, running: Running, described: Summary, seconds: float | None) -> None:
        text, caller = running.text or "", running.caller
        line: dict[str, Any] = {
            "operation": described.name,
            "kind": described.kind,
            "document": described.document or self._descriptions.hash(text),
            "tenant": None if caller is None else caller.tenant_id,
            "transport": running.transport,
            "request_id": running.request_id,
        }
        if described.kind != UNKNOWN:
            line["cost"] = self._descriptions.cost(text, running.name, running.variables)
        if seconds is not None:
            line |= {"duration_ms": round(seconds * 1_000, 3), "codes": running.codes, "refusals": running.refusals}
            if described.kind == "subscription":
                line["items"] = running.items
        logger.info(event, **line)


def _result(running: Running) -> str:
    if running.codes:
        return "fault" if running.has_fault else "error"
    return "refused" if running.refusals else "ok"
