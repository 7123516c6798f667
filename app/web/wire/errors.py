"""Errors of a request itself, in the form of GraphQL's errors, and the status of every answer."""

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
from app.web.wire.disconnect import Gone

logger: Any = structlog.get_logger("http")
RETRY_AFTER_SECONDS = 1


def body(code: ErrorCode, message: str, request_id: str, details: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    error = {"message": message, "extensions": {"code": code, "requestId": request_id, **details}}
    return orjson.dumps({"errors": [error]})


def refusal(
    request: Request, status: int, code: ErrorCode, message: str, details: Mapping[str, Any] = MappingProxyType({})
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
    return Response(body(code, message, request.state.request_id, details), status, headers=headers)


def refused(request: Request, error: Exception) -> Response:
    """What the client is told of what went wrong with its request as a whole. A fault is logged whole and masked."""
    if isinstance(error, Problem):
        return refusal(request, _status(request, error), error.code, str(error))
    if isinstance(error, HTTPException):
        code = ErrorCode.RATE_LIMITED if error.status_code == 429 else ErrorCode.BAD_REQUEST
        return refusal(request, error.status_code, code, error.reason)
    if isinstance(error, Gone):
        return Response(status_code=499)  # which nobody reads
    if isinstance(error, ClientDisconnect):
        return refusal(request, 400, ErrorCode.BAD_REQUEST, "The body ended before it was whole.")
    faults.log_fault(error, request.state.request_id)
    return refusal(request, 500, ErrorCode.INTERNAL_SERVER_ERROR, faults.MASKED)


def _status(request: Request, problem: Problem) -> int:
    if isinstance(problem, Unavailable):
        return 503
    in_answers = request.state.media_type == parameters.RESPONSE_JSON
    return 504 if in_answers and isinstance(problem, TimedOut) else parameters.status_of({}, request.state.media_type)


def answer(response: Mapping[str, Any], media_type: str) -> Response:
    """What came of an operation, with the status that fits."""
    status = parameters.status_of(response, media_type)
    headers = {"content-type": f"{media_type}; charset=utf-8", **retry_after(status)}
    return Response(orjson.dumps(response), status, headers=headers)


def retry_after(status: int) -> dict[str, str]:
    """When it is worth while to come again: the store, or this process, needs a moment."""
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
