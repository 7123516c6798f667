"""Which answers a browser may keep: those of queries that were named by their hash and asked by GET."""

from hashlib import blake2b
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

# The page for browsers and the answers for programs share an address, and so do the answers for different callers.
_VARIES, _VARIES_WHEN_KEPT = "Accept", "Accept, Authorization"


def note(request: Request, data: Any) -> None:
    """Remember the data of an answer without errors, as an object or as JSON, where the answer may be kept."""
    asked = getattr(request.state, "parameters", None)
    if request.method != "POST" and asked is not None and asked.hash is not None:
        request.state.data = data if isinstance(data, bytes) else orjson.dumps(data)


def conditioned(request: Request, response: Any, max_age: int) -> Any:
    """The response with what caches need to know, or "not modified" where the client has its data already."""
    data: bytes | None = getattr(request.state, "data", None)
    if data is None or not isinstance(response, Response):
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = _VARIES
        return response
    # What the answer has cost differs from time to time, so two answers of one tag may differ in that.
    etag = f'W/"{blake2b(data, digest_size=16).hexdigest()}"'
    if etag in (listed.strip() for listed in request.headers.get("if-none-match", "").split(",")):
        response = Response(status_code=304)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = f"private, max-age={max_age}, must-revalidate"
    response.headers["Vary"] = _VARIES_WHEN_KEPT
    return response
