"""The fast path: answers planned operations directly from request bytes, bypassing ASGI.

A request that is not plainly a JSON operation of a caller with a valid token is left to the endpoint, which reports
what is wrong with it.
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
from app.api.plan.planner import BoundQuery
from app.documents.cached_function import Document
from app.documents.unplanned import ExecutedWithErrors
from app.errors import ErrorCode, Overloaded, Problem, ResponseTooLarge, TimedOut
from app.lifetime import Lifetime, within
from app.model import Caller
from app.web.callers.identity import IdentityProvider, bearer
from app.web.limits import budget, charging
from app.web.limits.budget import Charge
from app.web.monitoring.operation import HTTP
from app.web.pipeline import OPERATION, OperationRequest, Pipeline
from app.web.wire import exact_json, parameters
from app.web.wire.cors import CorsPolicy
from app.web.wire.errors import error_body
from app.web.wire.mirror_age import MirrorAge
from app.web.wire.problems import BY_CODE, handling_of, response_status, status_headers

Headers = Mapping[bytes, bytes]
# Clients that poll repeat their requests, so parsed requests are cached. Headers and document count towards the size of
# a request too, since either may be far longer than the body.
MAX_CACHED_REQUESTS, MAX_CACHED_BYTES = 1_024, 8_192
_KEY_HEADERS = (b"authorization", b"accept", b"content-type", b"content-encoding", b"origin")


class RawResponse(NamedTuple):
    """A complete response: status, header lines and body."""

    status: int
    head: bytes
    body: bytes


class FastOperation(NamedTuple):
    """An operation with its caller, and the format of its response."""

    text: Document
    name: str | None
    variables: dict[str, Any] | None
    caller: Caller
    media_type: str
    token: str
    ready: BoundQuery | None
    cors_lines: bytes = b""
    charge: Charge | None = None


class FastPath:
    """Answers plain requests. None leaves one to the endpoint: nothing was executed, and its charge is handed on."""

    def __init__(
        self, pipeline: Pipeline, identities: IdentityProvider, cors: CorsPolicy, is_enabled: bool = True
    ) -> None:
        # Disabled with traces, for which all headers are needed to find the caller's span.
        self._is_enabled = is_enabled
        self._pipeline = pipeline
        self._planner = pipeline.planner
        self._identities = identities
        self._operations = pipeline.operations
        self._mirror_age = pipeline.mirror_age
        self._cache: dict[tuple[Any, ...], FastOperation] = {}
        self.cors = cors

    def parse(self, headers: Headers, body: bytes | bytearray) -> FastOperation | None:
        """Authenticate and charge the request, and look up the plan of its operation."""
        if not self._is_enabled:
            return None
        key = *map(headers.get, _KEY_HEADERS), bytes(body)
        try:
            # A caller whose token was confirmed again may have other roles than before.
            if (cached := self._cache.get(key)) and self._identities.caller(cached.token) is cached.caller:
                cached.text.look_up()
                return self._charge_again(cached)
            operation = self._parse(headers, body)
        except (Problem, HTTPException, orjson.JSONDecodeError, UnicodeDecodeError):
            return None
        if operation is not None and _is_cacheable(operation) and _size(key, operation.text) <= MAX_CACHED_BYTES:
            caches.put(self._cache, key, operation, MAX_CACHED_REQUESTS)
        return operation

    def _charge_again(self, operation: FastOperation) -> FastOperation:
        if (first := operation.charge) is None:
            return operation
        charge = first.budget.charge_flat(operation.caller.tenant_id, first.cost)
        return FastOperation._make((*operation[:-1], charge))

    def respond_at_once(self, operation: FastOperation) -> RawResponse | None:
        """The response, if it needs no waiting for the store."""
        if operation.charge is not None and operation.charge.retry_after:
            return self._rate_limited(operation, operation.charge)
        started_at = perf_counter()
        data = None if operation.ready is None else self._planner.answer_immediately(operation.ready, operation.caller)
        if data is None:
            return None
        id = request_id()
        text, name, variables, caller = operation[:4]
        self._operations.record_query(text, name, variables, caller, id, started_at)
        return _response(data, operation, id, self._mirror_age)

    async def respond(self, operation: FastOperation, on_start: Callable[[Lifetime], None]) -> RawResponse | None:
        """The response of an operation that waits for the store. `on_start` gets the lifetime that can end it early."""
        if operation.charge is not None and operation.charge.retry_after:
            return self._rate_limited(operation, operation.charge)
        id = request_id()
        with self._operations.record(HTTP, id) as record:
            record.set_operation(operation.text, operation.name, operation.variables)
            record.caller = operation.caller
            response = await self._respond(operation, id, on_start)
            if response is None:
                record.discard()
        return response

    def state_of(self, operation: FastOperation) -> dict[str, Any]:
        """The state of a request that can't be planned, with which the endpoint goes on where the fast path stopped."""
        request = _request(operation, "")
        request.is_planless = True
        return {OPERATION: request, charging.CHARGE: operation.charge}

    def _rate_limited(self, operation: FastOperation, charge: Charge) -> RawResponse:
        id, problem = request_id(), charge.error()
        with self._operations.record(HTTP, id) as record:
            record.set_operation(operation.text, operation.name, operation.variables)
            record.caller = operation.caller
            note_error(problem.code)
        body = error_body(problem.code, str(problem), id, problem.extensions)
        status = handling_of(problem).status_in(operation.media_type)
        lines = _header_lines(status_headers(status, problem.extensions))
        return RawResponse(status, _head(operation, id, body) + lines, body)

    async def _respond(
        self, operation: FastOperation, id: str, on_start: Callable[[Lifetime], None]
    ) -> RawResponse | None:
        request = _request(operation, id)
        try:
            on_start(lifetime := self._pipeline.admit(request))
            data = await within(lifetime, self._pipeline.execute_plan(request))
        except (Overloaded, TimedOut, ResponseTooLarge) as problem:
            return _error_response(faults.problem_response(problem, id), operation, id)
        except ExecutedWithErrors as failed:
            response = budget.with_cost(faults.response(failed.result, id), operation.charge)
            if self._mirror_age is not None:
                response = self._mirror_age.add_to(response)
            return _error_response(response, operation, id)
        except Exception as error:  # noqa: BLE001  # nothing above handles errors: they are logged, and masked
            faults.log_fault(error, id)
            note_error(ErrorCode.INTERNAL_SERVER_ERROR)
            body = error_body(ErrorCode.INTERNAL_SERVER_ERROR, faults.MASKED, id)
            status = BY_CODE[ErrorCode.INTERNAL_SERVER_ERROR].status_in(operation.media_type)
            return RawResponse(status, _head(operation, id, body), body)
        return None if data is None else _response(data, operation, id, self._mirror_age)

    def _parse(self, headers: Headers, body: bytes | bytearray) -> FastOperation | None:
        accepted, token = _parse_accept(headers.get(b"accept") or None), _token(headers.get(b"authorization"))
        if (media_type := accepted.json) is None or token is None or b"content-encoding" in headers:
            return None
        if (content_type := headers.get(b"content-type")) != b"application/json":
            parameters.require_json((content_type or b"").decode())
        data = parameters.parse_parameters(exact_json.loads(body))
        if data.hash and data.query:
            return None  # it persists a document, which a cached request would not do
        caller = self._identities.caller(token)
        text = self._pipeline.find_document(data.query, data.hash, caller)
        if accepted.events and charging.WATCH_WORD in text:
            return None  # it may be a watch, which is sent as events
        name, variables = data.operation_name, data.variables
        charge = self._pipeline.charge(caller, "", text, name, variables)
        is_refused = charge is not None and charge.retry_after
        ready = None if is_refused else self._planner.bind(text, name, variables, caller)
        cors_lines = self.cors.header_lines(headers)
        return FastOperation(text, name, variables, caller, media_type, token, ready, cors_lines, charge)


def request_id() -> str:
    """A random ID for the logs, which need not be hard to guess."""
    return f"{getrandbits(128):032x}"


@lru_cache(maxsize=256)
def _parse_accept(accept: bytes | None) -> parameters.AcceptedTypes:
    return parameters.parse_accept(None if accept is None else accept.decode("latin-1"))


def _is_cacheable(operation: FastOperation) -> bool:
    """Whether the operation has a plan, and its charge is that of a repetition, without reading a new document."""
    return operation.ready is not None and (operation.charge is None or not operation.charge.reading)


def _size(key: tuple[bytes | None, ...], text: str) -> int:
    return len(text) + sum([len(part) for part in key if part is not None])


def _token(authorization: bytes | None) -> str | None:
    return None if authorization is None else bearer(authorization.decode())


def _response(data: bytes, operation: FastOperation, id: str, mirror_age: MirrorAge | None) -> RawResponse:
    body = budget.data_with_cost(data, operation.charge)
    if mirror_age is not None:
        body = mirror_age.add_to_json(body, operation.charge is not None)
    return RawResponse(200, _head(operation, id, body), body)


def _error_response(response: Mapping[str, Any], operation: FastOperation, id: str) -> RawResponse:
    status, body = response_status(response, operation.media_type), orjson.dumps(response)
    return RawResponse(status, _head(operation, id, body) + _header_lines(status_headers(status)), body)


def _header_lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items()).encode()


def _request(operation: FastOperation, id: str) -> OperationRequest:
    """The operation as the pipeline takes it. Its address is empty, since a caller with a token pays as its tenant."""
    text, name, variables, caller = operation[:4]
    return OperationRequest(text, name, variables, caller, "", id, operation.charge)


def _head(operation: FastOperation, id: str, body: bytes) -> bytes:
    """The header lines that the endpoint would send."""
    # The GraphiQL page has the same address, hence `vary`.
    head = (
        f"content-type: {operation.media_type}; charset=utf-8\r\ncontent-length: {len(body)}\r\nx-request-id: {id}\r\n"
        "cache-control: no-store\r\nvary: Accept\r\n"
    )
    if operation.charge is None:
        return head.encode() + operation.cors_lines
    return b"%b%b%b" % (head.encode(), operation.charge.header_lines(), operation.cors_lines)
