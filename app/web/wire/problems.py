"""The one table of how each transport reports each problem to clients."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from app.errors import ErrorCode, NoRole, Overloaded, Problem, TokenExpired
from app.web.wire.parameters import EVENT_STREAM, METHODS, RESPONSE_JSON


class Close(NamedTuple):
    """The close code of a WebSocket, and its reason unless that is the message of the problem."""

    code: int
    reason: str | None = None


class Handling(NamedTuple):
    """The form of one code's problems on each transport.

    `status` and `json_status` (for `application/json`) are those of a request that failed as a whole. An event stream
    has that status if `has_event_status`. Otherwise the problem is its last event, since clients reconnect after any
    status.

    Over WebSocket, `on_init` closes a socket whose `connection_init` has the problem. An operation that has it closes
    its socket with `on_operation`, or gets an `error` message if that is None. `on_resume` is the same for a watch that
    resumes from a cursor: an `error` would end it for good, while clients reconnect after a close.
    """

    status: int = 400
    json_status: int = 200
    retry_after: int | None = None
    has_event_status: bool = False
    on_init: Close | None = None
    on_operation: Close | None = None
    on_resume: Close | None = None

    def status_in(self, media_type: str) -> int:
        if media_type == EVENT_STREAM:
            return self.status if self.has_event_status else 200
        return self.status if media_type == RESPONSE_JSON else self.json_status


PROTOCOL_VIOLATION, INVALID_TOKEN, EXPIRED_TOKEN = 4400, 4401, 4403
SERVICE_RESTART, TRY_AGAIN_LATER = 1012, 1013
# What clients should wait for where the problem itself does not say how long.
RETRY_AFTER_SECONDS = 1

_INVALID = Handling()
_LATER = Close(TRY_AGAIN_LATER)
FAULT = _AGAIN = Close(TRY_AGAIN_LATER, "Try again later")
_UNAVAILABLE = Handling(503, 503, RETRY_AFTER_SECONDS, has_event_status=True, on_init=_LATER)

BY_CODE: Mapping[ErrorCode, Handling] = {
    # A malformed HTTP request has a status of its own instead: 400, 403, 405, 406, 413 or 415.
    ErrorCode.BAD_REQUEST: _INVALID,
    ErrorCode.UNAUTHENTICATED: Handling(401, 401, on_init=Close(INVALID_TOKEN)),
    ErrorCode.FORBIDDEN: _INVALID,
    ErrorCode.BAD_USER_INPUT: _INVALID,
    ErrorCode.GRAPHQL_PARSE_FAILED: _INVALID,
    ErrorCode.GRAPHQL_VALIDATION_FAILED: _INVALID,
    ErrorCode.PERSISTED_QUERY_NOT_FOUND: _INVALID,
    ErrorCode.QUERY_TOO_COMPLEX: _INVALID,
    ErrorCode.RATE_LIMITED: Handling(
        429, 429, RETRY_AFTER_SECONDS, has_event_status=True, on_init=_LATER, on_resume=_LATER
    ),
    # A watch that exceeds its deadline is UNAVAILABLE.
    ErrorCode.TIMEOUT: Handling(504),
    ErrorCode.CURSOR_EXPIRED: _INVALID,
    ErrorCode.CURSOR_INVALID: _INVALID,
    ErrorCode.UNAVAILABLE: _UNAVAILABLE._replace(on_operation=_AGAIN, on_resume=_AGAIN),
    ErrorCode.INTERNAL_SERVER_ERROR: Handling(
        500, 500, has_event_status=True, on_init=FAULT, on_operation=FAULT, on_resume=FAULT
    ),
}
BY_TYPE: Mapping[type[Problem], Handling] = {
    TokenExpired: Handling(401, 401, has_event_status=True, on_init=Close(EXPIRED_TOKEN)),
    NoRole: Handling(403, 403, on_init=Close(INVALID_TOKEN)),
    # A close would also end the watches beside the operation, and have all of them start again at once.
    Overloaded: _UNAVAILABLE,
}
_HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    405: {"Allow": METHODS},
    429: {"Retry-After": str(RETRY_AFTER_SECONDS)},
    503: {"Retry-After": str(RETRY_AFTER_SECONDS)},
}
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def handling_of(problem: Problem) -> Handling:
    special = (BY_TYPE[type_] for type_ in type(problem).__mro__ if type_ in BY_TYPE)
    return next(special, BY_CODE[problem.code])


def status_headers(status: int, details: Mapping[str, Any] = _NO_HEADERS) -> dict[str, str]:
    """The headers that belong to a status. `retryAfter` among the details is the value of Retry-After."""
    headers = dict(_HEADERS.get(status, _NO_HEADERS))
    if "Retry-After" in headers and "retryAfter" in details:
        headers["Retry-After"] = str(details["retryAfter"])
    return headers


def response_status(response: Mapping[str, Any], media_type: str) -> int:
    """The status for the result of an operation: that of its errors if it has no data, otherwise 200.

    With `data: null` only 503 and 504 count, since retrying may help.
    """
    if response.get("data") is not None:
        return 200
    statuses = [BY_CODE[error["extensions"]["code"]].status_in(media_type) for error in response.get("errors", ())]
    if "data" in response:
        statuses = [status for status in statuses if status > 500]
    return max(statuses, default=200)
