"""Planned operations from the bytes of a plain request to those of its answer, without a framework between.

Whatever is not plainly an operation in JSON, of a caller with a good token, is left to the endpoint, which says what
is wrong with it.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
from cross_web import HTTPException

from app.api import faults
from app.api.plan.planner import Planner
from app.api.plan.unplanned import Failed
from app.errors import Unauthenticated
from app.model import Caller
from app.web import events, parameters
from app.web.identity import IdentityProvider, bearer

Headers = Sequence[tuple[bytes, bytes]]
# Marks a request that no plan could answer, so that it is not tried, and counted, once more.
WAS_LEFT = "was_left"
OF_INTEREST = {b"authorization", b"content-type", b"accept"}


class Answer(NamedTuple):
    """A whole answer: its status, its headers and its body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Asked(NamedTuple):
    """One operation, by whom, and in what form its answer goes out."""

    text: str
    name: str | None
    variables: dict[str, Any] | None
    caller: Caller
    media_type: str


class Quick:
    """Answers what it can; `None` leaves a request to the endpoint, with nothing done."""

    def __init__(self, planner: Planner, identities: IdentityProvider) -> None:
        self._planner = planner
        self._identities = identities

    def asked(self, headers: Headers, body: bytes | bytearray) -> Asked | None:
        try:
            return self._asked({name: value.decode("latin-1") for name, value in headers if name in OF_INTEREST}, body)
        except (Unauthenticated, HTTPException, orjson.JSONDecodeError):
            return None

    def at_once(self, asked: Asked) -> Answer | None:
        """The answer of what is read without a wait."""
        data = self._planner.at_once(asked.text, asked.name, asked.variables, asked.caller)
        return None if data is None else _answer(data, asked.media_type, uuid4().hex)

    async def later(self, asked: Asked) -> Answer | None:
        """The answer of what the store or the disk is waited for."""
        request_id = uuid4().hex
        try:
            data = await self._planner.answer(asked.text, asked.name, asked.variables, asked.caller, request_id)
        except Failed as failed:
            response = faults.response(failed.result, request_id)
            status, body = parameters.status_of(response, asked.media_type), orjson.dumps(response)
            return Answer(status, headers_of(asked.media_type, request_id, body), body)
        return None if data is None else _answer(data, asked.media_type, request_id)

    def _asked(self, found: dict[bytes, str], body: bytes | bytearray) -> Asked | None:
        media_type, token = _media_type(found.get(b"accept")), bearer(found.get(b"authorization"))
        if media_type is None or token is None:
            return None
        parameters.require_json(found.get(b"content-type"))
        wanted = parameters.request_data(orjson.loads(body))
        caller = self._identities.caller(token)
        return Asked(wanted.query or "", wanted.operation_name, wanted.variables, caller, media_type)


@lru_cache(maxsize=256)
def _media_type(accept: str | None) -> str | None:
    return None if events.are_wanted(accept) else parameters.negotiated(accept)


def _answer(data: bytes, media_type: str, request_id: str) -> Answer:
    body = b"".join((b'{"data":', data, b"}"))
    return Answer(200, headers_of(media_type, request_id, body), body)


def headers_of(media_type: str, request_id: str, body: bytes) -> list[tuple[bytes, bytes]]:
    """Those of every answer of the endpoint."""
    return [
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"cache-control", b"no-store"),
        # The page for browsers and the answers for programs share this address.
        (b"vary", b"Accept"),
    ]
