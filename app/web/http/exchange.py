"""One HTTP request on its way through the pipeline."""

from collections.abc import Coroutine
from json import JSONDecodeError
from typing import Any, TypeVar

from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult

from app.api.operation import faults
from app.errors import DocumentProblem
from app.lifetime import within
from app.model import Caller
from app.web.callers.identity import IdentityProvider, header_token
from app.web.http import caching
from app.web.limits import budget, charging
from app.web.monitoring.operation import OperationRecord
from app.web.pipeline import OPERATION, READS, READS_AND_WRITES, OperationRequest, Pipeline
from app.web.wire import exact_json, parameters
from app.web.wire.disconnect import run_while_connected
from app.web.wire.errors import operation_response

T = TypeVar("T")


class Exchange:
    """A request, and the response that the pipeline makes of it."""

    def __init__(self, request: Request, pipeline: Pipeline, identities: IdentityProvider) -> None:
        self.request = request
        self.pipeline = pipeline
        self.identities = identities
        self.token = header_token(request.headers, identities.token_header)
        self._operation: OperationRequest | None = None
        self._is_charged = False

    async def operation(self) -> OperationRequest:
        """The operation of the request, found once.

        Raises HTTPException or Problem, among them RateLimited for a document that can't be served.
        """
        if self._operation is None:
            found: OperationRequest | None = getattr(self.request.state, OPERATION, None)
            self._is_charged = found is not None
            operation = self._operation = found or await self._read()
            operation.request_id = self.request.state.request_id
            record: OperationRecord = self.request.state.record
            record.set_operation(operation.text, operation.name, operation.variables)
            record.caller = operation.caller
        return self._operation

    async def charged_operation(self, may_owe: bool = False) -> OperationRequest:
        """The operation of the request, charged once. Raises RateLimited as well. A watch over SSE may go into debt."""
        operation = await self.operation()
        if not self._is_charged:
            self._is_charged = True
            may_owe = may_owe and charging.WATCH_WORD in operation.text
            text, name, variables = operation.text, operation.name, operation.variables
            operation.charge = self.pipeline.charge(operation.caller, operation.address, text, name, variables, may_owe)
            charging.keep_charge(self.request, operation.charge)
            charging.require_granted(operation.charge)
        return operation

    async def response(self) -> Response:
        """The response to a query or mutation, within its deadline and while its client is connected."""
        operation = await self.charged_operation()
        life = self.pipeline.admit(operation)
        return await self.while_client_waits(within(life, self._execute(operation)))

    async def while_client_waits(self, work: Coroutine[Any, Any, T]) -> T:
        return await run_while_connected(self.request.receive, work)

    async def _execute(self, operation: OperationRequest) -> Response:
        try:
            result = await self.pipeline.execute(operation)
        except CannotGetOperationTypeError:
            raise HTTPException(400, faults.NO_OPERATION) from None
        except InvalidOperationTypeError as error:
            raise parameters.operation_not_allowed(error.operation_type) from None
        return self._plan_response(result) if isinstance(result, bytes) else self._result_response(result)

    def _plan_response(self, data: bytes) -> Response:
        caching.note(self.request, data)
        headers = {"content-type": f"{self.request.state.media_type}; charset=utf-8"}
        charge = charging.charge_of(self.request)
        body = budget.data_with_cost(data, charge)
        if (mirror_age := self.pipeline.mirror_age) is not None:
            body = mirror_age.add_to_json(body, charge is not None)
        return Response(body, headers=headers)

    def _result_response(self, result: ExecutionResult) -> Response:
        response = faults.response(result, self.request.state.request_id)
        if "errors" not in response:
            caching.note(self.request, response.get("data"))
        whole = budget.with_cost(response, charging.charge_of(self.request))
        if (mirror_age := self.pipeline.mirror_age) is not None:
            whole = mirror_age.add_to(whole)
        return operation_response(whole, self.request.state.media_type)

    async def _read(self) -> OperationRequest:
        data = await self._data()
        try:
            sent, caller = parameters.parse_parameters(data), await self._caller()
            text = self.pipeline.find_document(sent.query, sent.hash, caller)
        except DocumentProblem:
            charge = charging.charge_unknown_document(self.pipeline.budgets, await self._caller(), self._address)
            charging.keep_charge(self.request, charge)
            raise
        caching.note_hash(self.request, sent.hash)
        kinds = READS_AND_WRITES if self.request.method == "POST" else READS
        return OperationRequest(text, sent.operation_name, sent.variables, caller, self._address, kinds=kinds)

    async def _caller(self) -> Caller | None:
        return None if self.token is None else await self.identities.identify(self.token)

    @property
    def _address(self) -> str:
        return charging.address_of(self.request)

    async def _data(self) -> Any:
        request = self.request
        if request.method == "POST":
            parameters.require_json(request.headers.get("content-type"))
            parameters.require_no_encoding(request.headers.get("content-encoding"))
            return _json(await parameters.read_body(request), "The body")
        # A form sends the fields that nobody has filled in, too.
        data: dict[str, Any] = {name: value for name, value in request.query_params.items() if value}
        inner = {name: _json(data[name], f"`{name}`") for name in ("variables", "extensions") if name in data}
        return data | inner


def _json(data: str | bytes, name: str) -> Any:
    try:
        return exact_json.loads(data)
    except JSONDecodeError as error:
        raise HTTPException(400, f"{name} can't be parsed as JSON: {error.msg}.") from error
