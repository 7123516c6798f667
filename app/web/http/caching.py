"""HTTP caching: browsers may cache responses to persisted queries that were sent by GET."""

from hashlib import blake2b
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

# GraphiQL and the responses for programs have the same URL, and so do the responses for different callers.
_VARY, _VARY_IF_CACHED = "Accept", ["Accept", "Authorization"]


def note_hash(request: Request, hash: str | None) -> None:
    """Note the hash by which a request names its document."""
    request.state.hash = hash


def note(request: Request, data: Any) -> None:
    """Note the data of a response without errors, an object or JSON, if the response may be cached."""
    if request.method != "POST" and getattr(request.state, "hash", None) is not None:
        request.state.data = data if isinstance(data, bytes) else orjson.dumps(data)


def add_cache_headers(request: Request, response: Any, max_age: int, token_header: str | None) -> Any:
    """Add the headers for caches, or return 304 if the client already has the data.

    `token_header` names the header that may carry a token besides `Authorization`.
    """
    data: bytes | None = getattr(request.state, "data", None)
    if data is None or not isinstance(response, Response):
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = _VARY
        return response
    # The tag is weak, since responses with the same data may differ in their cost.
    etag = f'W/"{blake2b(data, digest_size=16).hexdigest()}"'
    if etag in (tag.strip() for tag in request.headers.get("if-none-match", "").split(",")):
        response = Response(status_code=304)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = f"private, max-age={max_age}, must-revalidate"
    response.headers["Vary"] = ", ".join(filter(None, [*_VARY_IF_CACHED, token_header]))
    return response
