"""What the server made of the cases: the figures, and what it should not have done."""

import json
import threading
from collections import Counter
from typing import Any

from app.errors import ErrorCode
from tests.harness.wire import CLOSE, Response

TOLD = set(map(str, ErrorCode)) - {ErrorCode.INTERNAL_SERVER_ERROR}
# Those of graphql-transport-ws, ours, and those of RFC 6455 for what is wrong with frames.
CLOSE_CODES = {1000, 1002, 1005, 1007, 1008, 1009, 1012, 1013, 4400, 4401, 4403, 4406, 4408, 4409, 4429}


class Tally:
    """Counts from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.cases: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self.closes: Counter[str] = Counter()
        self.shed = 0
        self.failures = 0
        self.dropped = 0
        self.violations: list[str] = []

    def case(self, kind: str, number: int = 1) -> None:
        with self._lock:
            self.cases[kind] += number

    def answer(self, answer: Response, sent: object) -> None:
        """An HTTP answer: no 5xx but a 503 that says when to come again, and errors of the closed list."""
        with self._lock:
            self.statuses[answer.status] += 1
            if answer.status == 503 and "retry-after" in answer.headers:
                self.shed += 1
            elif answer.status >= 500:
                self.failures += 1
                self._blame(f"status {answer.status}", answer.body, sent)
            elif "json" in answer.headers.get("content-type", "") and answer.body:
                self._read(answer.body, sent)

    def result(self, payload: Any, sent: object) -> None:
        """The payload of an operation's result, or its errors, over WebSocket."""
        with self._lock:
            self._judge(payload.get("errors", ()) if isinstance(payload, dict) else payload, sent)

    def close(self, code: int | None, sent: object) -> None:
        """How a WebSocket ended; None when nothing was said. A code that the client gave is given back."""
        with self._lock:
            self.closes[str(code)] += 1
            if code is None:
                self.dropped += 1
                self._blame("a socket that is dropped without a code", b"", sent)
            elif code not in CLOSE_CODES and not (isinstance(sent, bytes) and code in _given(sent)):
                self._blame(f"close code {code}", b"", sent)

    def silence(self, sent: object) -> None:
        """A line that is closed without an answer."""
        with self._lock:
            self.dropped += 1
            self._blame("a line that is dropped without an answer", b"", sent)

    def violation(self, what: str, sent: object = "") -> None:
        with self._lock:
            self._blame(what, b"", sent)

    def _read(self, body: bytes, sent: object) -> None:
        try:
            told = json.loads(body)
        except ValueError:
            self._blame("JSON that is none", body, sent)
            return
        if isinstance(told, dict):
            self._judge(told.get("errors", ()), sent)

    def _judge(self, errors: Any, sent: object) -> None:
        for error in errors:
            code = error.get("extensions", {}).get("code")
            self.codes[str(code)] += 1
            if code not in TOLD or not error.get("message"):
                self._blame(f"an error with the code {code}", json.dumps(error).encode(), sent)

    def _blame(self, what: str, heard: bytes, sent: object) -> None:
        if len(self.violations) < 100:
            self.violations.append(f"{what}: {heard[:300]!r} to {str(sent)[:600]}")

    def figures(self) -> dict[str, Any]:
        return {
            "cases": {**dict(self.cases.most_common()), "in all": self.cases.total()},
            "HTTP answers by status": dict(sorted(self.statuses.items())),
            "errors by code": dict(self.codes.most_common()),
            "WebSockets by close code": dict(sorted(self.closes.items())),
            "5xx seen": self.failures,
            "503 of shed load": self.shed,
            "lines and sockets dropped without a word": self.dropped,
        }


def _given(sent: bytes) -> set[int]:
    """The codes of whatever is, or may be taken for, a masked frame of RFC 6455 that closes."""
    ends = [at for at in range(len(sent) - 7) if sent[at] & 15 == CLOSE]
    return {int.from_bytes(sent[at + 6 : at + 8]) ^ int.from_bytes(sent[at + 2 : at + 4]) for at in ends}
