"""HTTP responses to requests that fail as a whole, in the form of GraphQL errors."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson
import structlog
from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.api.operation import faults
from app.api.operation.notes import note_error
from app.errors import ErrorCode, Problem, TimedOut, Unavailable
from app.web.wire import parameters
from app.web.wire.disconnect import ClientGone

logger: Any = structlog.get_logger("http")
RETRY_AFTER_SECONDS = 1
_NO_DETAILS: Mapping[str, Any] = MappingProxyType({})


def error_body(code: ErrorCode, message: str, request_id: str, details: Mapping[str, Any] = _NO_DETAILS) -> bytes:
    error = {"message": message, "extensions": {"code": code, "requestId": request_id, **details}}
    return orjson.dumps({"errors": [error]})


def error_response(
    request: Request, status: int, code: ErrorCode, message: str, details: Mapping[str, Any] = _NO_DETAILS
) -> Response:
    note_error(code)
    logger.info("refused", request_id=request.state.request_id, status=status, code=str(code), message=message)
    media_type = getattr(request.state, "media_type", parameters.PLAIN_JSON)
    headers = {"content-type": f"{media_type}; charset=utf-8", **retry_after(status)}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 405:
        headers["Allow"] = parameters.METHODS
    if status == 429:
        headers["Retry-After"] = str(details.get("retryAfter", 1))
    return Response(error_body(code, message, request.state.request_id, details), status, headers=headers)


def response_to(request: Request, error: Exception) -> Response:
    """The response to a request that raised an error. Unexpected errors are logged, and masked in the response."""
    if isinstance(error, Problem):
        return error_response(request, _status(request, error), error.code, str(error))
    if isinstance(error, HTTPException):
        code = ErrorCode.RATE_LIMITED if error.status_code == 429 else ErrorCode.BAD_REQUEST
        return error_response(request, error.status_code, code, error.reason)
    if isinstance(error, ClientGone):
        return Response(status_code=499)  # nobody reads it
    if isinstance(error, ClientDisconnect):
        return error_response(request, 400, ErrorCode.BAD_REQUEST, "The request body is incomplete.")
    faults.log_fault(error, request.state.request_id)
    return error_response(request, 500, ErrorCode.INTERNAL_SERVER_ERROR, faults.MASKED)


def _status(request: Request, problem: Problem) -> int:
    if isinstance(problem, Unavailable):
        return 503
    media_type = request.state.media_type
    if isinstance(problem, TimedOut) and media_type == parameters.RESPONSE_JSON:
        return 504
    return parameters.response_status({}, media_type)


def operation_response(response: Mapping[str, Any], media_type: str) -> Response:
    """The HTTP response for the result of an operation."""
    status = parameters.response_status(response, media_type)
    headers = {"content-type": f"{media_type}; charset=utf-8", **retry_after(status)}
    return Response(orjson.dumps(response), status, headers=headers)


def retry_after(status: int) -> dict[str, str]:
    """The Retry-After header of a 503 response, which asks the client for a short pause."""
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
