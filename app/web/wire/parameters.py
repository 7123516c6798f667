"""GraphQL requests over HTTP: method, media types and parameters."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import mimeparse
from cross_web import HTTPException
from starlette.requests import Request
from strawberry.http import GraphQLRequestData
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.graphql import OperationType

from app.documents import persisted

RESPONSE_JSON = "application/graphql-response+json"
PLAIN_JSON = "application/json"
EVENT_STREAM = "text/event-stream"
METHODS = "GET, HEAD, OPTIONS, POST"
# Browsers send a tenth of it. The time that parsing takes grows with the square of the length.
MAX_ACCEPT_CHARACTERS = 1_000
# A comma inside quotes separates nothing.
_LISTED = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.?)*(?:"|$))+')
MediaRange = tuple[str, str, dict[str, str]]


@dataclass
class RequestParameters(GraphQLRequestData):
    """The parameters of a request. `hash`, if any, names a persisted document."""

    hash: str | None = None


async def read_body(request: Request) -> bytes:
    """Read the body of a request. Raises HTTPException once it exceeds the limit."""
    limit, body = request.app.state.max_body_bytes, bytearray()
    too_large = HTTPException(413, f"The body is larger than {limit} bytes.")
    if int(request.headers.get("content-length", 0)) > limit:
        raise too_large
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def require_method(request: Request) -> None:
    if request.method not in METHODS.split(", "):
        raise HTTPException(405, "Send GraphQL by GET or POST.")


def operation_not_allowed(kind: OperationType) -> HTTPException:
    if kind is OperationType.MUTATION:
        return HTTPException(405, "Send mutations by POST.")
    return HTTPException(
        400,
        f"Subscribe over WebSocket, with the protocol {GRAPHQL_TRANSPORT_WS_PROTOCOL}, or list {EVENT_STREAM} in the "
        "Accept header to get server-sent events.",
    )


def require_json(content_type: str | None) -> None:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != PLAIN_JSON:
        raise HTTPException(415, f"Send the body as {PLAIN_JSON}.")


def require_no_encoding(content_encoding: str | None) -> None:
    """Refuse compressed bodies, since a small one may decompress to a very large one."""
    if (content_encoding or "identity").strip().lower() != "identity":
        raise HTTPException(415, "Send the body uncompressed, without Content-Encoding.")


class AcceptedTypes(NamedTuple):
    """The JSON media type to respond with, None if the client accepts none, and whether it accepts an event stream."""

    json: str | None
    events: bool


def parse_accept(accept: str | None) -> AcceptedTypes:
    """Parse an Accept header. Raises HTTPException if it is malformed or too long."""
    if len(accept or "") > MAX_ACCEPT_CHARACTERS:
        raise HTTPException(400, f"The Accept header is longer than {MAX_ACCEPT_CHARACTERS} characters.")
    try:
        ranges = _media_ranges(accept or "*/*")
        return AcceptedTypes(_best_json(ranges), _accepts_events(ranges))
    except mimeparse.MimeTypeParseException:
        raise HTTPException(400, "The Accept header is malformed.") from None


def accept_header(request: Request) -> str | None:
    """The Accept header of a request, with repeated headers joined into one list (RFC 9110, 5.3)."""
    return ", ".join(request.headers.getlist("accept")) or None


def require_json_accepted(accepted: AcceptedTypes) -> None:
    if accepted.json is None:
        raise HTTPException(406, f"Responses are {RESPONSE_JSON} or {PLAIN_JSON}. Accept one of them.")


def _best_json(ranges: list[MediaRange]) -> str | None:
    """The JSON media type that the client prefers; None when it accepts neither."""
    quality = cast(
        Callable[[str, list[MediaRange]], tuple[float, float]], vars(mimeparse)["quality_and_fitness_parsed"]
    )
    preferred = max((RESPONSE_JSON, PLAIN_JSON), key=lambda one: (quality(one, ranges), one == PLAIN_JSON))
    return preferred if quality(preferred, ranges)[0] else None


def _accepts_events(ranges: list[MediaRange]) -> bool:
    """Whether event streams are listed. Wildcards mean JSON, and `q=0` means never."""
    return any(f"{type_}/{subtype}".lower() == EVENT_STREAM and float(of["q"]) > 0 for type_, subtype, of in ranges)


def _media_ranges(accept: str) -> list[MediaRange]:
    parse = cast(Callable[[str], MediaRange], vars(mimeparse)["parse_media_range"])
    return [parse(part) for part in _LISTED.findall(accept) if part.strip()]


def parse_parameters(data: Any) -> RequestParameters:
    """The parameters in the JSON of a request. Raises HTTPException if one has the wrong type."""
    if isinstance(data, list):
        raise HTTPException(400, "Send one operation at a time; batches are not accepted.")
    if not isinstance(data, dict):
        raise HTTPException(400, "The request must be an object with the key `query`.")
    fields = cast(dict[str, Any], data)
    for name, expected, description in _PARAMETERS:
        if (value := fields.get(name)) is not None and not isinstance(value, expected):
            raise HTTPException(400, f"`{name}` must be {description} or null.")
    extensions = fields.get("extensions")
    hash = persisted.hash_of(fields) if extensions or "documentId" in fields else None
    if hash is None and not fields.get("query"):
        raise HTTPException(400, "Send a GraphQL document in `query`, or the ID of one in `documentId`.")
    return RequestParameters(
        fields.get("query"), fields.get("variables"), fields.get("operationName") or None, extensions, hash=hash
    )


_PARAMETERS = (
    ("query", str, "a string"),
    ("variables", dict, "an object"),
    ("operationName", str, "a string"),
    ("extensions", dict, "an object"),
)
