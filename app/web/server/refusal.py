"""Requests that are refused before they reach ASGI: for what reason, and with which response."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.errors import ErrorCode
from app.web.wire import parameters
from app.web.wire.errors import error_body
from app.web.wire.problems import status_headers

logger: Any = structlog.get_logger("http")
# The bytes of a request before its headers are complete, and those in addition to its body.
MAX_HEAD_BYTES = 131_072
# A small header takes fifty times its size in memory.
MAX_HEADERS = 200


class HttpRefusal(Exception):
    """Why the incoming request is refused. Its connection ends with it."""

    def __init__(self, status: HTTPStatus, message: str, code: ErrorCode = ErrorCode.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code

    def response(self, default_headers: Iterable[tuple[bytes, bytes]], cors_lines: bytes) -> bytes:
        """Log the refusal, and return the bytes of its response."""
        id = uuid4().hex
        logger.info(
            "request refused", request_id=id, status=int(self.status), code=str(self.code), message=self.message
        )
        body = error_body(self.code, self.message, id)
        headers = {
            "content-type": f"{parameters.PLAIN_JSON}; charset=utf-8",
            "content-length": str(len(body)),
            "x-request-id": id,
            "cache-control": "no-store",
            "connection": "close",
            **{name.lower(): value for name, value in status_headers(self.status).items()},
        }
        own = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        default = (b"%b: %b\r\n" % header for header in default_headers)
        return b"".join((STATUS_LINE[self.status], *default, own, cors_lines, b"\r\n", body))


def malformed() -> HttpRefusal:
    return HttpRefusal(
        HTTPStatus.BAD_REQUEST, "The request is not valid HTTP/1.1. Send it again on another connection."
    )


def head_too_large() -> HttpRefusal:
    message = f"The headers, trailers or chunk extensions are larger than {MAX_HEAD_BYTES} bytes."
    return HttpRefusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message)


def too_many_headers() -> HttpRefusal:
    message = f"The request has more than {MAX_HEADERS} headers, including trailers."
    return HttpRefusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message)


def timed_out(seconds: float) -> HttpRefusal:
    message = f"The request did not arrive completely within {seconds:g} seconds."
    return HttpRefusal(HTTPStatus.REQUEST_TIMEOUT, message, ErrorCode.TIMEOUT)


def unavailable(reason: str) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, f"{reason} Try again in a moment.", ErrorCode.UNAVAILABLE)
