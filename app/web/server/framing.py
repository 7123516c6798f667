"""Request framing: each request is read to its end, so that no byte of it is taken for the next request.

httptools stops at each request that offers an upgrade, as if its body were already in the other protocol, and reports
trailers as headers.
"""

import re
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.web.server import refusal
from app.web.server.refusal import MAX_HEAD_BYTES, MAX_HEADERS, HttpRefusal

# httptools can't parse a longer URL.
MAX_URL_BYTES = 65_535
FRAMING_HEADERS = {
    b"connection",
    b"content-length",
    b"expect",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"transfer-encoding",
    b"upgrade",
}
_CONTROL_CHARACTER = re.compile(rb"%(?:[01][0-9a-f]|7f|c2%[89][0-9a-f])", re.IGNORECASE)


class StrictHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which reads each request to its end even if it offers an upgrade or has trailers."""

    parser: Any
    url: bytes
    _ignores_upgrade = False
    _trailers: list[tuple[bytes, bytes]] | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, continuing after each upgrade that is ignored. Raises HttpParserError."""
        self._unset_keepalive_if_required()
        rest: bytes | memoryview = data
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if not self._ignores_upgrade:
                    self.handle_websocket_upgrade()
                    return
                rest = memoryview(rest)[upgrade.args[0] :]
            self._parse_without_upgrade()

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MAX_URL_BYTES:
            message = f"The URL is longer than {MAX_URL_BYTES} bytes. Send the query by POST."
            raise HttpRefusal(HTTPStatus.REQUEST_URI_TOO_LONG, message)

    def on_headers_complete(self) -> None:
        if b"%" in self.url and _CONTROL_CHARACTER.search(self.url.partition(b"?")[0]):
            raise HttpRefusal(HTTPStatus.BAD_REQUEST, "The path contains a control character.")
        if self.parser.should_upgrade():
            self._ignores_upgrade = self._is_upgrade_ignored()
            if not self._ignores_upgrade:
                super().on_headers_complete()
            return
        super().on_headers_complete()
        # The application has the list of headers. `on_header` appends trailers to this one.
        self.headers = self._trailers = []

    def on_message_complete(self) -> None:
        if self._trailers:
            self._discard_trailers(self._trailers)
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _discard_trailers(self, trailers: list[tuple[bytes, bytes]]) -> None:
        """Trailers are never headers (RFC 9110, 6.5.1). Raises HttpRefusal if there are too many."""
        if any(name in FRAMING_HEADERS for name, _ in trailers):
            # llhttp has obeyed it, and would not parse the rest of the connection.
            raise HttpRefusal(HTTPStatus.BAD_REQUEST, "A trailer is a framing header. Send it before the body.")
        if len(trailers) + len(list(self.scope["headers"])) > MAX_HEADERS:
            raise refusal.too_many_headers()
        if sum(len(name) + len(value) for name, value in trailers) > MAX_HEAD_BYTES:
            raise refusal.head_too_large()
        trailers.clear()

    def _should_upgrade(self) -> bool:
        return self.parser.get_http_version() == "1.1" and super()._should_upgrade()

    def _is_upgrade_ignored(self) -> bool:
        """Whether the server continues in HTTP (RFC 9110, 7.8)."""
        if self.parser.get_method() == b"CONNECT":
            raise HttpRefusal(HTTPStatus.METHOD_NOT_ALLOWED, "CONNECT is not supported. Send GraphQL by GET or POST.")
        return not self._should_upgrade()

    def _parse_without_upgrade(self) -> None:
        """Parse the head of the request again without its offer, so that the parser continues with the body."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self._ignores_upgrade = False
        # The old parser would discard the rest if this is the last request of the connection.
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))
