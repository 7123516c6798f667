"""Planned operations from the bytes of a plain request to those of its answer, without a framework between.

Whatever is not plainly an operation in JSON, of a caller with a good token, is left to the endpoint, which says what
is wrong with it.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from random import getrandbits
from time import perf_counter
from typing import Any, NamedTuple

import orjson
from cross_web import HTTPException

from app import caches
from app.api.operation import faults
from app.api.operation.notes import note_error
from app.api.plan.planner import Ready
from app.documents.unplanned import ExecutedWithErrors
from app.errors import ErrorCode, Overloaded, Problem, ResponseTooLarge, TimedOut
from app.lifetime import Lifetime, within
from app.model import Caller
from app.web.callers.identity import IdentityProvider, bearer
from app.web.limits import budget, charging
from app.web.limits.budget import Charge
from app.web.monitoring.operation import HTTP
from app.web.pipeline import Pipeline, Requested
from app.web.wire import errors, exact_json, parameters
from app.web.wire.cors import Origins

Headers = Mapping[bytes, bytes]
_RETRY_AFTER = {503: f"retry-after: {errors.RETRY_AFTER_SECONDS}\r\n".encode()}
# The same request comes again and again, from those who look whether anything is new. What it says is worked out once.
# Headers and document count too: each may be far longer than the body.
KEPT_REQUESTS, KEPT_BYTES = 1_024, 8_192
LONGEST_ACCEPT = 1_000
_READ_HEADERS = (b"authorization", b"accept", b"content-type", b"content-encoding", b"origin")


class Answer(NamedTuple):
    """A whole answer: its status, its headers as they are sent, and its body."""

    status: int
    head: bytes
    body: bytes


class Asked(NamedTuple):
    """One operation, by whom, and in what form its answer goes out."""

    text: str
    name: str | None
    variables: dict[str, Any] | None
    caller: Caller
    media_type: str
    token: str
    ready: Ready | None
    cors: bytes = b""
    charge: Charge | None = None


class Quick:
    """Answers what it can; `None` leaves a request to the endpoint, with nothing done."""

    def __init__(self, pipeline: Pipeline, identities: IdentityProvider, origins: Origins, is_on: bool = True) -> None:
        # With traces each request is looked at whole, for the header that names the caller's span.
        self._is_on = is_on
        self._pipeline = pipeline
        self._planner = pipeline.planner
        self._identities = identities
        self._operations = pipeline.operations
        self._kept: dict[tuple[Any, ...], Asked] = {}
        self._persisted = pipeline.persisted
        self.origins = origins
        self._tenants = None if pipeline.budgets is None else pipeline.budgets.tenants

    def asked(self, headers: Headers, body: bytes | bytearray) -> Asked | None:
        if not self._is_on:
            return None
        key = *map(headers.get, _READ_HEADERS), bytes(body)
        try:
            if (kept := self._kept.get(key)) is not None:
                self._identities.caller(kept.token)
                return self._charged_again(kept)
            asked = self._asked(headers, body)
        except (Problem, HTTPException, orjson.JSONDecodeError, UnicodeDecodeError):
            return None
        if asked is not None and _is_worth_keeping(asked) and _size(key, asked.text) <= KEPT_BYTES:
            caches.put(self._kept, key, asked, KEPT_REQUESTS)
        return asked

    def _charged_again(self, asked: Asked) -> Asked:
        if self._tenants is None or asked.charge is None:
            return asked
        charge = self._tenants.charge_flat(asked.caller.tenant_id, asked.charge.cost)
        return Asked._make((*asked[:-1], charge))

    def at_once(self, asked: Asked) -> Answer | None:
        """The answer of what is read without a wait."""
        if asked.charge is not None and asked.charge.retry_after:
            return self._refused(asked, asked.charge)
        began = perf_counter()
        data = None if asked.ready is None else self._planner.at_once(asked.ready, asked.caller)
        if data is None:
            return None
        id = request_id()
        self._operations.at_once(asked.text, asked.name, asked.variables, asked.caller, id, began)
        return _answer(data, asked, id)

    async def later(self, asked: Asked, on_begin: Callable[[Lifetime], None]) -> Answer | None:
        """The answer of what the store or the disk is waited for; `on_begin` is told how to end it before."""
        if asked.charge is not None and asked.charge.retry_after:
            return self._refused(asked, asked.charge)
        id = request_id()
        self._persisted.select_cache(asked.text, asked.caller.tenant_id)  # uvicorn gives each task an empty context
        with self._operations.running(HTTP, id) as running:
            running.asks(asked.text, asked.name, asked.variables)
            running.caller = asked.caller
            answer = await self._later(asked, id, on_begin)
            if answer is None:
                running.goes_elsewhere()
        return answer

    def _refused(self, asked: Asked, charge: Charge) -> Answer:
        id, problem = request_id(), charge.refusal()
        self._persisted.select_cache(asked.text, asked.caller.tenant_id)
        with self._operations.running(HTTP, id) as running:
            running.asks(asked.text, asked.name, asked.variables)
            running.caller = asked.caller
            note_error(problem.code)
        body = errors.body(problem.code, str(problem), id, problem.extensions)
        retry = f"retry-after: {charge.retry_after}\r\n".encode()
        return Answer(429, _head(asked, id, body) + retry, body)

    async def _later(self, asked: Asked, id: str, on_begin: Callable[[Lifetime], None]) -> Answer | None:
        requested = Requested(asked.text, asked.name, asked.variables, asked.caller, "", id, asked.charge)
        try:
            on_begin(life := self._pipeline.admit(requested))
            data = await within(life, self._pipeline.planned(requested))
        except (Overloaded, TimedOut, ResponseTooLarge) as problem:
            response = faults.told(problem, id)
            status, body = parameters.status_of(response, asked.media_type), orjson.dumps(response)
        except ExecutedWithErrors as failed:
            response = budget.with_cost(faults.response(failed.result, id), asked.charge)
            status, body = parameters.status_of(response, asked.media_type), orjson.dumps(response)
        except Exception as error:  # noqa: BLE001  # the last door: a fault is logged whole and told to nobody
            faults.log_fault(error, id)
            note_error(ErrorCode.INTERNAL_SERVER_ERROR)
            status, body = 500, errors.body(ErrorCode.INTERNAL_SERVER_ERROR, faults.MASKED, id)
        else:
            return None if data is None else _answer(data, asked, id)
        return Answer(status, _head(asked, id, body) + _RETRY_AFTER.get(status, b""), body)

    def _asked(self, headers: Headers, body: bytes | bytearray) -> Asked | None:
        if len(accept := headers.get(b"accept", b"")) > LONGEST_ACCEPT:
            return None
        accepted, token = _accepted(accept or None), _token(headers.get(b"authorization"))
        if (media_type := accepted.json) is None or token is None or b"content-encoding" in headers:
            return None
        if (content_type := headers.get(b"content-type")) != b"application/json":
            parameters.require_json((content_type or b"").decode())
        wanted = parameters.request_data(exact_json.loads(body))
        if wanted.hash and wanted.query:
            return None  # what a client persists is not to be forgotten while such a request is kept
        caller = self._identities.caller(token)
        text = self._persisted.text(wanted.query, wanted.hash, caller.tenant_id)
        if accepted.events and charging.WATCH_WORD in text:
            return None  # it may be a watch, which is sent as events
        asked = text, wanted.operation_name, wanted.variables, caller
        charge = None if self._tenants is None else self._tenants.charge(caller.tenant_id, *asked[:3])
        is_refused = charge is not None and charge.retry_after
        ready = None if is_refused else self._planner.ready(*asked)
        return Asked(*asked, media_type, token, ready, self.origins.lines(headers), charge)


def request_id() -> str:
    """An ID for the logs, which need not be hard to guess."""
    return f"{getrandbits(128):032x}"


@lru_cache(maxsize=256)
def _accepted(accept: bytes | None) -> parameters.Accepted:
    return parameters.accepted(None if accept is None else accept.decode("latin-1"))


def _is_worth_keeping(asked: Asked) -> bool:
    """With a plan, and charged what it costs each time: the first time, its document was charged for as well."""
    return asked.ready is not None and (asked.charge is None or not asked.charge.reading)


def _size(key: tuple[bytes | None, ...], text: str) -> int:
    return len(text) + sum([len(part) for part in key if part is not None])


def _token(authorization: bytes | None) -> str | None:
    return None if authorization is None else bearer(authorization.decode())


def _answer(data: bytes, asked: Asked, id: str) -> Answer:
    body = budget.data_with_cost(data, asked.charge)
    return Answer(200, _head(asked, id, body), body)


def _head(asked: Asked, id: str, body: bytes) -> bytes:
    """The headers of every answer of the endpoint."""
    # The page for browsers and the answers for programs share this address, hence `vary`.
    head = (
        f"content-type: {asked.media_type}; charset=utf-8\r\ncontent-length: {len(body)}\r\nx-request-id: {id}\r\n"
        "cache-control: no-store\r\nvary: Accept\r\n"
    )
    if asked.charge is None:
        return head.encode() + asked.cors
    return b"%b%b%b" % (head.encode(), asked.charge.lines(), asked.cors)
