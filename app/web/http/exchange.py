"""One HTTP request on its way through the pipeline: what it asks for, and by whom, is found out once."""

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
from app.web.callers.identity import IdentityProvider, bearer
from app.web.http import caching
from app.web.limits import budget, charging
from app.web.monitoring.operation import Running
from app.web.pipeline import IS_PLANLESS, READS, READS_AND_WRITES, Pipeline, Requested
from app.web.wire import exact_json, parameters
from app.web.wire.disconnect import run_while_connected
from app.web.wire.errors import operation_response
from app.web.wire.parameters import RequestParameters

T = TypeVar("T")


class Exchange:
    """A request, and the response that the pipeline makes of it."""

    def __init__(self, request: Request, pipeline: Pipeline, identities: IdentityProvider) -> None:
        self.request = request
        self.pipeline = pipeline
        self.identities = identities
        self.token = bearer(request.headers.get("authorization"))

    async def caller(self) -> Caller | None:
        """Raises Unauthenticated, or Unavailable."""
        running: Running = self.request.state.running
        if running.caller is None and self.token is not None:
            running.caller = await self.identities.identify(self.token)
        return running.caller

    async def parameters(self) -> RequestParameters:
        """Raises HTTPException, DocumentProblem, Unauthenticated or RateLimited."""
        state = self.request.state
        if not hasattr(state, "parameters"):
            data = state.parameters = await self._read()
            state.running.asks(data.query, data.operation_name, data.variables)
        return state.parameters

    async def charge(self) -> None:
        """Raises RateLimited."""
        budgets = self.pipeline.budgets
        if budgets is not None and not charging.is_charged(self.request):
            asked, accepted = await self.parameters(), parameters.parse_accept(parameters.accept_header(self.request))
            charging.charge_request(budgets, self.request, await self.caller(), asked, accepted.events)

    async def requested(self) -> Requested:
        asked, state = await self.parameters(), self.request.state
        return Requested(
            asked.query or "",
            asked.operation_name,
            asked.variables,
            await self.caller(),
            charging.address_of(self.request),
            state.request_id,
            charging.charge_of(self.request),
            READS_AND_WRITES if self.request.method == "POST" else READS,
            getattr(state, IS_PLANLESS, False),
        )

    async def response(self) -> Response:
        """The response to a query or mutation, in the time that it may take, and while its client waits."""
        requested = await self.requested()
        life = self.pipeline.admit(requested)
        return await self.while_client_waits(within(life, self._executed(requested)))

    async def while_client_waits(self, work: Coroutine[Any, Any, T]) -> T:
        return await run_while_connected(self.request.receive, work)

    async def _executed(self, requested: Requested) -> Response:
        try:
            result = await self.pipeline.execute(requested)
        except CannotGetOperationTypeError:
            raise HTTPException(400, faults.NO_OPERATION) from None
        except InvalidOperationTypeError as error:
            raise parameters.operation_not_allowed(error.operation_type) from None
        return self._of_plan(result) if isinstance(result, bytes) else self._of_result(result)

    def _of_plan(self, data: bytes) -> Response:
        caching.note(self.request, data)
        headers = {"content-type": f"{self.request.state.media_type}; charset=utf-8"}
        return Response(budget.data_with_cost(data, charging.charge_of(self.request)), headers=headers)

    def _of_result(self, result: ExecutionResult) -> Response:
        response = faults.response(result, self.request.state.request_id)
        if "errors" not in response:
            caching.note(self.request, response.get("data"))
        whole = budget.with_cost(response, charging.charge_of(self.request))
        return operation_response(whole, self.request.state.media_type)

    async def _read(self) -> RequestParameters:
        asked, caller = parameters.parse_parameters(await self._data()), await self.caller()
        tenant_id = None if caller is None else caller.tenant_id
        try:
            asked.query = self.pipeline.persisted.text(asked.query, asked.hash, tenant_id)
        except DocumentProblem:
            address = charging.address_of(self.request)
            self.request.state.charge = charging.charge_unknown_document(self.pipeline.budgets, caller, address)
            raise
        return asked

    async def _data(self) -> Any:
        request = self.request
        if request.method == "POST":
            parameters.require_json(request.headers.get("content-type"))
            parameters.require_no_encoding(request.headers.get("content-encoding"))
            return _json(await parameters.read_body(request))
        # A form sends the fields that nobody has filled in, too.
        data: dict[str, Any] = {name: value for name, value in request.query_params.items() if value}
        return data | {name: _json(data[name]) for name in ("variables", "extensions") if name in data}


def _json(data: str | bytes) -> Any:
    try:
        return exact_json.loads(data)
    except JSONDecodeError as error:
        raise HTTPException(400, "Unable to parse request body as JSON") from error
