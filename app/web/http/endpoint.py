"""GraphQL over HTTP, as the specification has it: /graphql for GET and POST, and the door to the WebSocket."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import orjson
import structlog
from cross_web import AsyncHTTPRequestAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import ExecutionResult

from app.api.operation import faults
from app.api.operation.context import Context, Services
from app.api.plan.planner import Planner
from app.api.schema import GatewaySchema
from app.documents.persisted import Persisted
from app.documents.unplanned import Failed
from app.errors import DocumentProblem, Overloaded, RateLimited, Unauthenticated
from app.lifetime import within
from app.model import Caller
from app.web.browser.ide import Ide
from app.web.callers.identity import IdentityProvider, bearer
from app.web.http import caching, sse, sse_requests
from app.web.limits import budget, charging
from app.web.limits.admission import Load
from app.web.limits.budget import Budgets
from app.web.limits.socket_quota import Places
from app.web.limits.watches import Watches
from app.web.monitoring.operation import HTTP
from app.web.monitoring.operations import Operations
from app.web.pipeline import executed
from app.web.server.fast_path import WAS_LEFT
from app.web.websockets.connection import Connection, Socket
from app.web.websockets.handler import TransportHandler
from app.web.wire import exact_json, parameters
from app.web.wire.cors import Origins
from app.web.wire.disconnect import while_there
from app.web.wire.errors import answer, refused

logger: Any = structlog.get_logger("http")


class Endpoint(GraphQL[Any, None]):
    """Strawberry's view, with our identities, errors and manners."""

    graphql_transport_ws_handler_class = TransportHandler
    websocket_adapter_class = Socket
    request_adapter_class = parameters.LimitedRequest

    def __init__(
        self,
        schema: GatewaySchema,
        services: Services,
        planner: Planner,
        identities: IdentityProvider,
        operations: Operations,
        load: Load,
        persisted: Persisted,
        origins: Origins,
        ide: Ide | None = None,
        budgets: Budgets | None = None,
    ) -> None:
        settings = services.settings
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            allowed_origins=origins.listed,
            connection_init_wait_timeout=timedelta(seconds=settings.connection_init_seconds),
            max_subscriptions_per_connection=settings.max_operations_per_socket,
        )
        self.services = services
        self.planner = planner
        self.identities = identities
        self.operations = operations
        self.load = load
        self.persisted = persisted
        self.origins = origins
        self.ide = ide
        self.budgets = budgets
        self.places = Places(settings)
        self.watches = Watches(settings.max_watches_per_tenant)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        if self.ide is not None and (page := self.ide.page_for(request)):
            await page(scope, receive, send)
            return
        request.state.request_id = uuid4().hex
        max_age = self.services.settings.documents_max_age_seconds
        with self.operations.running(HTTP, request.state.request_id, request.headers) as running:
            request.state.running = running
            response = caching.conditioned(request, await self._answer(request), max_age)
            response.headers["X-Request-ID"] = request.state.request_id
            if (charge := charging.charge_of(request)) is not None:
                response.headers.update(charge.headers())
            if isinstance(response, sse.Events):
                await response(scope, receive, send)
                return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response | sse.Events:
        try:
            parameters.require_method(request)
            if request.method == "OPTIONS":
                return Response(status_code=204, headers={"Allow": parameters.METHODS})
            self.origins.require_own(request)
            accepted = parameters.accepted(parameters.accept_of(request))
            request.state.media_type = accepted.json or parameters.PLAIN_JSON
            if accepted.events and request.method != "HEAD" and await sse_requests.is_due(self, request, accepted):
                return await sse_requests.answered(self, request)
            parameters.require_json_accepted(accepted)
            await self.charge(request)
            return await self.while_client_waits(request, self.planned)
        except Unauthenticated as error:
            return charging.refuse_token(self.budgets, request, error)
        except RateLimited as error:
            return charging.refuse(request, error)
        except Overloaded as error:
            charging.refund(charging.charge_of(request), request.state.running.caller, charging.address_of(request))
            return refused(request, error)
        except Exception as error:  # noqa: BLE001  # the last door: whatever it is, the client is told what it may know
            return refused(request, error)

    async def while_client_waits(self, request: Request, work: Callable[[Request], Coroutine[Any, Any, Any]]) -> Any:
        """What the work gives, if there is room for it, in the time that it may take, and while the client waits."""
        asked = await self.parse_http_body(parameters.LimitedRequest(request))
        life = self.load.admit(asked.query or "", asked.operation_name)
        return await while_there(request.receive, within(life, work(request)))

    async def charge(self, request: Request) -> None:
        if self.budgets is not None and not charging.is_charged(request):
            asked = await self.parse_http_body(parameters.LimitedRequest(request))
            accepted = parameters.accepted(parameters.accept_of(request))
            charging.charge_request(self.budgets, request, await self._caller(request), asked, accepted.events)

    async def planned(self, request: Request) -> Response:
        """The answer, by a plan if there is one; else the operation is carried out field by field."""
        if getattr(request.state, WAS_LEFT, False):
            return await self.run(request)
        asked = await self.parse_http_body(parameters.LimitedRequest(request))
        caller = await self._caller(request)
        acting = request.state.request_id if request.method == "POST" else None
        try:
            data = await self.planner.answer(asked.query or "", asked.operation_name, asked.variables, caller, acting)
        except Failed as failed:
            return answer(await self.process_result(request, failed.result), request.state.media_type)
        if data is None:
            return await self.run(request)
        caching.note(request, data)
        headers = {"content-type": f"{request.state.media_type}; charset=utf-8"}
        return Response(budget.data_with_cost(data, charging.charge_of(request)), headers=headers)

    async def get_context(self, request: Any, response: Any) -> Any:
        if isinstance(request, WebSocket):
            return Connection()
        return Context(self.services, await self._caller(request), request.state.request_id)

    async def _caller(self, request: Request) -> Caller | None:
        token = bearer(request.headers.get("authorization"))
        caller = request.state.running.caller = None if token is None else await self.identities.identify(token)
        return caller

    def should_render_graphql_ide(self, request: Any) -> bool:
        return False

    def is_request_allowed(self, request: Any) -> bool:
        return True

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        asked = cast(parameters.LimitedRequest, request).incoming.state
        if not hasattr(asked, "parameters"):
            incoming = cast(parameters.LimitedRequest, request).incoming
            data = asked.parameters = await self._parsed(request, incoming)
            asked.running.asks(data.query, data.operation_name, data.variables)
        return asked.parameters

    async def _parsed(self, request: AsyncHTTPRequestAdapter, incoming: Request) -> parameters.Asked:
        if request.method == "POST":
            parameters.require_json(request.content_type)
            parameters.require_plain(incoming.headers.get("content-encoding"))
            data = self.parse_json(await request.get_body())
        else:
            # A form sends the fields that nobody has filled in, too.
            given = {name: value for name, value in request.query_params.items() if value}
            data = self.parse_query_params(given)
        asked, caller = parameters.request_data(data), await self._caller(incoming)
        try:
            asked.query = self.persisted.text(asked.query, asked.hash, None if caller is None else caller.tenant_id)
        except DocumentProblem:
            incoming.state.charge = charging.charge_unread(self.budgets, caller, charging.address_of(incoming))
            raise
        return asked

    async def execute_operation(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().execute_operation(*args, **kwargs)
        finally:
            await kwargs["context"].close()

    async def execute_single(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,
        context: Any,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        return await executed(self.schema, request, context, request_data)

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        told = faults.response(result, request.state.request_id)
        if "errors" not in told:
            caching.note(request, told.get("data"))
        return cast(GraphQLHTTPResponse, budget.with_cost(told, charging.charge_of(request)))

    async def get_sub_response(self, request: Any) -> Response:
        response = await super().get_sub_response(request)
        response.media_type = request.state.media_type
        return response

    def create_response(self, response_data: Any, sub_response: Response) -> Response:
        return answer(response_data, cast(Any, sub_response.media_type))

    def decode_json(self, data: str | bytes) -> object:
        return exact_json.loads(data)

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)
