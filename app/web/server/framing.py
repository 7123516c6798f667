"""Where a request ends: whatever is sent with it is read with it, and counts for no other.

httptools stops at each request that would switch protocols, as if its body were already the other protocol, and calls
`on_header` for trailers too.
"""

import re
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# httptools splits no longer ones into their parts.
MAX_URL_BYTES = 65_535
# What a request may weigh before its headers are complete, and beyond its body.
MAX_HEAD_BYTES = 131_072
TOO_MUCH_BESIDE = f"What comes beside the body is larger than {MAX_HEAD_BYTES} bytes."
# Each weighs fifty times what it takes on the line when it is small.
MAX_HEADERS = 200
TOO_MANY_HEADERS = f"The request has more than {MAX_HEADERS} headers, with its trailers."
OF_FRAMING = {
    b"connection",
    b"content-length",
    b"expect",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"transfer-encoding",
    b"upgrade",
}
_CONTROL = re.compile(rb"%(?:[01][0-9a-f]|7f|c2%[89][0-9a-f])", re.IGNORECASE)


class Refusal(Exception):
    """What is wrong with the request that is coming in; the line ends with it."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Framed(HttpToolsProtocol):
    """uvicorn's protocol, which reads a request to its end whether or not it offers another protocol."""

    parser: Any
    url: bytes
    _ignores_upgrade = False
    _trailers: list[tuple[bytes, bytes]] | None = None

    def data_received(self, data: bytes) -> None:
        """Read on behind each offer of another protocol that is not taken. Raises HttpParserError."""
        self._unset_keepalive_if_required()
        rest: bytes | memoryview = data
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as stopped:
                if not self._ignores_upgrade:
                    self.handle_websocket_upgrade()
                    return
                rest = memoryview(rest)[stopped.args[0] :]
            head, self._ignores_upgrade = self._head_without_upgrade(), False
            # The old one takes what follows for nothing where the request is the last of its line.
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.parser.feed_data(head)

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MAX_URL_BYTES:
            told = f"The address is longer than {MAX_URL_BYTES} bytes. Send the query by POST."
            raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, told)

    def on_headers_complete(self) -> None:
        if b"%" in self.url and _CONTROL.search(self.url.partition(b"?")[0]):
            raise Refusal(HTTPStatus.BAD_REQUEST, "The path holds a control character. Send it without.")
        if self.parser.should_upgrade():
            self._ignores_upgrade = self._is_ignored()
            if not self._ignores_upgrade:
                super().on_headers_complete()
            return
        super().on_headers_complete()
        # The application has the list of headers, and `on_header` appends what comes behind the body to this one.
        self.headers = self._trailers = []

    def on_message_complete(self) -> None:
        if self._trailers:
            self._require_few(self._trailers)
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _require_few(self, trailers: list[tuple[bytes, bytes]]) -> None:
        if any(name in OF_FRAMING for name, _ in trailers):
            # llhttp has heeded it, and would read nothing more of the line (RFC 9110, 6.5.1).
            raise Refusal(HTTPStatus.BAD_REQUEST, "A trailer says how to read the connection. Send it as a header.")
        too_large = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if len(trailers) + len(list(self.scope["headers"])) > MAX_HEADERS:
            raise Refusal(too_large, TOO_MANY_HEADERS)
        if sum(len(name) + len(value) for name, value in trailers) > MAX_HEAD_BYTES:
            raise Refusal(too_large, TOO_MUCH_BESIDE)
        trailers.clear()

    def _should_upgrade(self) -> bool:
        return self.parser.get_http_version() == "1.1" and super()._should_upgrade()

    def _is_ignored(self) -> bool:
        """Whether the request is to be read as if it offered no other protocol (RFC 9110, 7.8)."""
        if self.parser.get_method() == b"CONNECT":
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "There are no tunnels here. Send GraphQL by GET or POST.")
        return not self._should_upgrade()

    def _head_without_upgrade(self) -> bytes:
        """The head of the request once more, so that the parser goes on with its body."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])
