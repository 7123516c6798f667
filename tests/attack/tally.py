"""Checks the responses of the server, and counts cases and violations."""

import json
import threading
from collections import Counter
from typing import Any

from app.errors import ErrorCode
from tests.harness.raw_connection import CLOSE, Response

TOLD = set(map(str, ErrorCode)) - {ErrorCode.INTERNAL_SERVER_ERROR}
# Close codes of graphql-transport-ws, our own, and those of RFC 6455 for invalid frames.
CLOSE_CODES = {1000, 1002, 1005, 1007, 1008, 1009, 1012, 1013, 4400, 4401, 4403, 4406, 4408, 4409, 4429}


class Tally:
    """Counts cases and violations from several threads."""

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

    def count_cases(self, kind: str, number: int = 1) -> None:
        with self._lock:
            self.cases[kind] += number

    def check_response(self, answer: Response, sent: object) -> None:
        """Check an HTTP response: no 5xx except a 503 with `Retry-After`, and only known error codes."""
        with self._lock:
            self.statuses[answer.status] += 1
            if answer.status == 503 and "retry-after" in answer.headers:
                self.shed += 1
            elif answer.status >= 500:
                self.failures += 1
                self._add_violation(f"status {answer.status}", answer.body, sent)
            elif "json" in answer.headers.get("content-type", "") and answer.body:
                self._check_body(answer.body, sent)

    def check_payload(self, payload: Any, sent: object) -> None:
        """Check the payload of an operation over WebSocket: a result, or errors."""
        with self._lock:
            self._check_errors(payload.get("errors", ()) if isinstance(payload, dict) else payload, sent)

    def check_close_code(self, code: int | None, sent: object) -> None:
        """Check the close code of a WebSocket; None if there was none. A code of the client may be echoed."""
        with self._lock:
            self.closes[str(code)] += 1
            if code is None:
                self.dropped += 1
                self._add_violation("a socket that is dropped without a code", b"", sent)
            elif code not in CLOSE_CODES and not (isinstance(sent, bytes) and code in _client_close_codes(sent)):
                self._add_violation(f"close code {code}", b"", sent)

    def count_silence(self, sent: object) -> None:
        """Count a connection that was closed without a response."""
        with self._lock:
            self.dropped += 1
            self._add_violation("a line that is dropped without an answer", b"", sent)

    def add_violation(self, what: str, sent: object = "") -> None:
        with self._lock:
            self._add_violation(what, b"", sent)

    def _check_body(self, body: bytes, sent: object) -> None:
        try:
            parsed = json.loads(body)
        except ValueError:
            self._add_violation("JSON that is none", body, sent)
            return
        if isinstance(parsed, dict):
            self._check_errors(parsed.get("errors", ()), sent)

    def _check_errors(self, errors: Any, sent: object) -> None:
        for error in errors:
            code = error.get("extensions", {}).get("code")
            self.codes[str(code)] += 1
            if code not in TOLD or not error.get("message"):
                self._add_violation(f"an error with the code {code}", json.dumps(error).encode(), sent)

    def _add_violation(self, what: str, received: bytes, sent: object) -> None:
        if len(self.violations) < 100:
            self.violations.append(f"{what}: {received[:300]!r} to {str(sent)[:600]}")

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


def _client_close_codes(sent: bytes) -> set[int]:
    """The close codes in anything that a server may parse as a masked close frame of RFC 6455."""
    ends = [at for at in range(len(sent) - 7) if sent[at] & 15 == CLOSE]
    return {int.from_bytes(sent[at + 6 : at + 8]) ^ int.from_bytes(sent[at + 2 : at + 4]) for at in ends}
