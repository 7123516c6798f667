"""Errors of a request itself, in the form of GraphQL's errors."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response

from app.api.notes import note_error
from app.errors import ErrorCode
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
        headers["Allow"] = "GET, POST"
    if status == 429:
        headers["Retry-After"] = str(details.get("retryAfter", 1))
    return Response(body(code, message, request.state.request_id, details), status, headers=headers)
