"""Counts, times and, depending on the settings, logs each operation.

A log line names the operation, the hash of its document, its tenant and its codes; never a variable, a token or a piece
of the document.
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
from app.histogram import Histogram
from app.model import Caller
from app.settings import Settings
from app.web.monitoring.operation import HTTP, OperationRecord
from app.web.monitoring.traces import TracedRecord, Traces

logger: Any = structlog.get_logger("operations")
# The name that a client gives to an operation that was not parsed is logged only if it has the form of a name.
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_NOT_PARSED = {ErrorCode.GRAPHQL_PARSE_FAILED, ErrorCode.QUERY_TOO_COMPLEX, ErrorCode.RATE_LIMITED}


class Operations:
    """The counts and durations of all operations of this process, and their log lines."""

    def __init__(self, descriptions: Summaries, settings: Settings, traces: Traces | None = None) -> None:
        self._descriptions = descriptions
        self._traces = traces
        self._log_setting = settings.operation_log
        always, slow = self._log_setting == "all", self._log_setting in ("slow", "all")
        self._logged_from = 0.0 if always else settings.slow_operation_seconds if slow else inf
        self.durations: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
        self._successful_queries = self.durations["query", "ok"]
        self.errors: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.watches: set[OperationRecord] = set()
        self._items_of_ended = 0

    @property
    def items(self) -> int:
        """The number of items that were sent to watches."""
        return self._items_of_ended + sum(watch.items for watch in self.watches)

    def record_query(self, text: str, name: str | None, variables: Any, caller: Caller, id: str, began: float) -> None:
        """Record a query of the fast path that has succeeded. Hot path: keep it cheap."""
        seconds = perf_counter() - began
        self._successful_queries.add(seconds)
        if seconds >= self._logged_from:
            record = OperationRecord(HTTP, id, self._end)
            record.set_operation(text, name, variables)
            record.caller = caller
            self._log("operation", record, self._descriptions.of(text, name), seconds)

    def record(self, transport: str, request_id: str, carrier: Mapping[str, str] | None = None) -> OperationRecord:
        """The record of a new operation. `carrier` has the headers that name the caller's span, if any."""
        if self._traces is None:
            return OperationRecord(transport, request_id, self._end)
        return TracedRecord(transport, request_id, self._end, self._traces, self._descriptions, carrier)

    def start_watch(self, record: OperationRecord) -> None:
        self.watches.add(record)
        record.start_watch()
        if self._log_setting == "all":
            self._log("watch started", record, self._describe(record), None)

    def _end(self, record: OperationRecord, seconds: float) -> None:
        if record in self.watches:
            self.watches.remove(record)
            self._items_of_ended += record.items
        if record.text is None and not record.codes:
            return  # a request without an operation, such as OPTIONS
        description = self._describe(record)
        self.durations[description.kind, _result(record)].add(seconds)
        if record.codes or record.refusals:
            self.errors.update(record.codes)
            self.refusals.update(record.refusals)
        if record.text is not None and self._is_logged(record, description, seconds):
            self._log("operation", record, description, seconds)

    def _is_logged(self, record: OperationRecord, description: Summary, seconds: float) -> bool:
        if self._log_setting in ("all", "off"):
            return self._log_setting == "all"
        # A watch lasts as long as its client likes.
        is_slow = seconds >= self._logged_from and description.kind != "subscription"
        return is_slow or bool(record.codes)

    def _describe(self, record: OperationRecord) -> Summary:
        if record.text is None or not _NOT_PARSED.isdisjoint(record.codes):
            name = record.name if record.name is not None and _NAME.fullmatch(record.name) else None
            return Summary(UNKNOWN, "", name and name[:LONGEST_NAME])
        return self._descriptions.of(record.text, record.name)

    def _log(self, event: str, record: OperationRecord, description: Summary, seconds: float | None) -> None:
        text, caller = record.text or "", record.caller
        fields: dict[str, Any] = {
            "operation": description.name,
            "kind": description.kind,
            "document": description.document or self._descriptions.hash(text),
            "tenant": None if caller is None else caller.tenant_id,
            "transport": record.transport,
            "request_id": record.request_id,
        }
        if description.kind != UNKNOWN:
            fields["cost"] = self._descriptions.cost(text, record.name, record.variables)
        if seconds is not None:
            fields |= {"duration_ms": round(seconds * 1_000, 3), "codes": record.codes, "refusals": record.refusals}
            if description.kind == "subscription":
                fields["items"] = record.items
        logger.info(event, **fields)


def _result(record: OperationRecord) -> str:
    if record.codes:
        return "fault" if record.has_fault else "error"
    return "refused" if record.refusals else "ok"
