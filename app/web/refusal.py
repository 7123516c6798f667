"""Errors of a request itself, in the form of GraphQL's errors."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson
import structlog
from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.api import faults
from app.api.notes import note_error
from app.errors import ErrorCode, Problem, Unavailable
from app.web import parameters

logger: Any = structlog.get_logger("http")
RETRY_AFTER_SECONDS = 3


def body(code: ErrorCode, message: str, request_id: str, details: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    error = {"message": message, "extensions": {"code": code, "requestId": request_id, **details}}
    return orjson.dumps({"errors": [error]})


def refusal(
    request: Request, status: int, code: ErrorCode, message: str, details: Mapping[str, Any] = MappingProxyType({})
) -> Response:
    note_error(code)
    logger.info("refused", request_id=request.state.request_id, status=status, code=str(code), message=message)
    media_type = getattr(request.state, "media_type", parameters.PLAIN_JSON)
    headers = {"content-type": f"{media_type}; charset=utf-8"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
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
    if isinstance(error, ClientDisconnect):
        return refusal(request, 400, ErrorCode.BAD_REQUEST, "The body ended before it was whole.")
    faults.log_fault(error, request.state.request_id)
    return refusal(request, 500, ErrorCode.INTERNAL_SERVER_ERROR, faults.MASKED)


def _status(request: Request, problem: Problem) -> int:
    return 503 if isinstance(problem, Unavailable) else parameters.status_of({}, request.state.media_type)
