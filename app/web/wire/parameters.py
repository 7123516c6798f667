"""What a GraphQL request over HTTP must look like: its method, media types and parameters."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import mimeparse
from cross_web import HTTPException
from starlette.requests import Request
from strawberry.http import GraphQLRequestData
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.graphql import OperationType

from app.documents import persisted
from app.errors import ErrorCode

RESPONSE_JSON = "application/graphql-response+json"
PLAIN_JSON = "application/json"
EVENT_STREAM = "text/event-stream"
METHODS = "GET, HEAD, OPTIONS, POST"
# A comma inside quotes separates nothing.
_LISTED = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.?)*(?:"|$))+')
MediaRange = tuple[str, str, dict[str, str]]


@dataclass
class Asked(GraphQLRequestData):
    """The parameters of a request. The hash, if any, names its document, which may not have been sent with it."""

    hash: str | None = None


async def body(request: Request) -> bytes:
    """The body of a request, read only as far as the settings allow. Raises HTTPException."""
    limit, read = request.app.state.max_body_bytes, bytearray()
    too_large = HTTPException(413, f"The body is larger than {limit} bytes.")
    if int(request.headers.get("content-length", 0)) > limit:
        raise too_large
    async for chunk in request.stream():
        read += chunk
        if len(read) > limit:
            raise too_large
    return bytes(read)


def require_method(request: Request) -> None:
    if request.method not in METHODS.split(", "):
        raise HTTPException(405, "Send GraphQL by GET or POST.")


def refused_operation(kind: OperationType) -> HTTPException:
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


def require_plain(content_encoding: str | None) -> None:
    """A small body may unfold to a large one, and there is no need to take any."""
    if (content_encoding or "identity").strip().lower() != "identity":
        raise HTTPException(415, "Send the body as it is, without Content-Encoding.")


class Accepted(NamedTuple):
    """What a client accepts: JSON of this media type, None for no JSON at all, and whether it lists events."""

    json: str | None
    events: bool


def accepted(accept: str | None) -> Accepted:
    """What an Accept header says. Raises HTTPException when it can't be read."""
    try:
        ranges = _media_ranges(accept or "*/*")
        return Accepted(_best_json(ranges), _lists_events(ranges))
    except mimeparse.MimeTypeParseException:
        raise HTTPException(400, "The Accept header can't be read.") from None


def accept_of(request: Request) -> str | None:
    """The Accept header of a request; several lines of it are one list (RFC 9110, 5.3)."""
    return ", ".join(request.headers.getlist("accept")) or None


def require_json_accepted(accepted: Accepted) -> None:
    if accepted.json is None:
        raise HTTPException(406, f"Answers are {RESPONSE_JSON} or {PLAIN_JSON}.")


def _best_json(ranges: list[MediaRange]) -> str | None:
    """The JSON media type that the client prefers; None when it accepts neither."""
    quality = cast(
        Callable[[str, list[MediaRange]], tuple[float, float]], vars(mimeparse)["quality_and_fitness_parsed"]
    )
    preferred = max((RESPONSE_JSON, PLAIN_JSON), key=lambda one: (quality(one, ranges), one == PLAIN_JSON))
    return preferred if quality(preferred, ranges)[0] else None


def _lists_events(ranges: list[MediaRange]) -> bool:
    """Whether events are named: a client that accepts anything means JSON, and `q=0` means not at all."""
    return any(f"{type_}/{subtype}".lower() == EVENT_STREAM and float(of["q"]) > 0 for type_, subtype, of in ranges)


def _media_ranges(accept: str) -> list[MediaRange]:
    parse = cast(Callable[[str], MediaRange], vars(mimeparse)["parse_media_range"])
    return [parse(part) for part in _LISTED.findall(accept) if part.strip()]


def status_of(response: Mapping[str, Any], media_type: str) -> int:
    """503 where trying again may help; refused before it was carried out, an operation is 400 in the media type that
    says so."""
    if response.get("data") is None:
        codes = {error["extensions"]["code"] for error in response.get("errors", ())}
        if ErrorCode.UNAVAILABLE in codes:
            return 503
        if media_type == RESPONSE_JSON and ErrorCode.TIMEOUT in codes:
            return 504
    return 400 if "data" not in response and media_type == RESPONSE_JSON else 200


def request_data(data: Any) -> Asked:
    """The parameters of a request, of the types that the specification gives them."""
    if isinstance(data, list):
        raise HTTPException(400, "Send one operation at a time; batches are not accepted.")
    if not isinstance(data, dict):
        raise HTTPException(400, "The request must be an object with the key `query`.")
    fields = cast(dict[str, Any], data)
    for name, wanted, word in _PARAMETERS:
        if (value := fields.get(name)) is not None and not isinstance(value, wanted):
            raise HTTPException(400, f"`{name}` must be {word} or null.")
    extensions = fields.get("extensions")
    hash = persisted.hash_of(fields) if extensions or "documentId" in fields else None
    if hash is None and not fields.get("query"):
        raise HTTPException(400, "There is no GraphQL document in `query`, and none is named by `documentId`.")
    return Asked(
        fields.get("query"), fields.get("variables"), fields.get("operationName") or None, extensions, hash=hash
    )


_PARAMETERS = (
    ("query", str, "a string"),
    ("variables", dict, "an object"),
    ("operationName", str, "a string"),
    ("extensions", dict, "an object"),
)
