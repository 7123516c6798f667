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
from app.errors import ErrorCode, Problem
from app.web.wire.disconnect import ClientGone
from app.web.wire.parameters import EVENT_STREAM, PLAIN_JSON
from app.web.wire.problems import BY_CODE, handling_of, response_status, status_headers

logger: Any = structlog.get_logger("http")
_NO_DETAILS: Mapping[str, Any] = MappingProxyType({})


def error_body(code: ErrorCode, message: str, request_id: str, details: Mapping[str, Any] = _NO_DETAILS) -> bytes:
    error = {"message": message, "extensions": {"code": code, "requestId": request_id, **details}}
    return orjson.dumps({"errors": [error]})


def response_to(request: Request, error: Exception) -> Response:
    """The response to a request that raised an error. Unexpected errors are logged, and masked in the response."""
    if isinstance(error, ClientGone):
        return Response(status_code=499)  # nobody reads it
    if isinstance(error, ClientDisconnect):
        error = HTTPException(400, "The request body is incomplete.")
    if isinstance(error, HTTPException):
        status = 200 if _is_event_stream(request) else error.status_code
        return _error_response(request, status, ErrorCode.BAD_REQUEST, error.reason)
    if isinstance(error, Problem):
        status = handling_of(error).status_in(_reported_in(request))
        return _error_response(request, status, error.code, str(error), error.extensions)
    faults.log_fault(error, request.state.request_id)
    code = ErrorCode.INTERNAL_SERVER_ERROR
    return _error_response(request, BY_CODE[code].status_in(_reported_in(request)), code, faults.MASKED)


def operation_response(response: Mapping[str, Any], media_type: str) -> Response:
    """The HTTP response for the result of an operation."""
    status = response_status(response, media_type)
    headers = {"content-type": f"{media_type}; charset=utf-8", **status_headers(status)}
    return Response(orjson.dumps(response), status, headers=headers)


def _error_response(
    request: Request, status: int, code: ErrorCode, message: str, details: Mapping[str, Any] = _NO_DETAILS
) -> Response:
    note_error(code)
    logger.info("request failed", request_id=request.state.request_id, status=status, code=str(code), message=message)
    headers = {"content-type": f"{_media_type(request)}; charset=utf-8", **status_headers(status, details)}
    return Response(error_body(code, message, request.state.request_id, details), status, headers=headers)


def _media_type(request: Request) -> str:
    return getattr(request.state, "media_type", PLAIN_JSON)


def _is_event_stream(request: Request) -> bool:
    return getattr(request.state, "is_event_stream", False)


def _reported_in(request: Request) -> str:
    return EVENT_STREAM if _is_event_stream(request) else _media_type(request)
