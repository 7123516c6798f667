"""GraphQL over HTTP, as the specification has it: /graphql for GET and POST, and the door to the WebSocket."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import mimeparse
import orjson
import structlog
from cross_web import AsyncHTTPRequestAdapter, HTTPException, StarletteRequestAdapter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from app.api import faults
from app.api.context import Context, Services
from app.api.schema import GatewaySchema
from app.errors import ErrorCode, Unauthenticated
from app.web.crowd import Crowd
from app.web.identity import IdentityProvider, bearer
from app.web.websocket import Connection, Socket, TransportHandler

logger: Any = structlog.get_logger("http")
RESPONSE_JSON = "application/graphql-response+json"
PLAIN_JSON = "application/json"


class LimitedRequest(StarletteRequestAdapter):
    """Reads the body only as far as the settings allow."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._incoming = request

    async def get_body(self) -> bytes:
        limit, body = self._incoming.app.state.max_body_bytes, bytearray()
        async for chunk in self._incoming.stream():
            body += chunk
            if len(body) > limit:
                raise HTTPException(413, f"The body is larger than {limit} bytes.")
        return bytes(body)


class Endpoint(GraphQL[Any, None]):
    """Strawberry's view, with our identities, errors and manners."""

    graphql_transport_ws_handler_class = TransportHandler
    websocket_adapter_class = Socket
    request_adapter_class = LimitedRequest

    def __init__(self, schema: GatewaySchema, services: Services, identities: IdentityProvider) -> None:
        settings = services.settings
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=settings.connection_init_seconds),
            max_subscriptions_per_connection=settings.max_operations_per_socket,
        )
        self.services = services
        self.identities = identities
        self.connections = Crowd(settings.max_connections_per_tenant)
        self.watches = Crowd(settings.max_watches_per_tenant)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.request_id = uuid4().hex
        response = await self._answer(request)
        response.headers["X-Request-ID"] = request.state.request_id
        response.headers["Cache-Control"] = "no-store"
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            _require_method(request)
            request.state.media_type = _negotiated(request.headers.get("accept"))
            return await self.run(request)
        except Unauthenticated as error:
            return _refusal(request, 401, ErrorCode.UNAUTHENTICATED, str(error))
        except HTTPException as error:
            return _refusal(request, error.status_code, ErrorCode.BAD_REQUEST, error.reason)
        except ClientDisconnect:
            return _refusal(request, 400, ErrorCode.BAD_REQUEST, "The body ended before it was whole.")
        except Exception as error:  # noqa: BLE001  # the last door: a fault is logged whole and told to nobody
            faults.log_fault(error, request.state.request_id)
            return _refusal(request, 500, ErrorCode.INTERNAL_SERVER_ERROR, faults.MASKED)

    async def get_context(self, request: Any, response: Any) -> Any:
        if isinstance(request, WebSocket):
            return Connection()
        token = bearer(request.headers.get("authorization"))
        caller = None if token is None else self.identities.caller(token)
        return Context(self.services, caller, request.state.request_id)

    def should_render_graphql_ide(self, request: Any) -> bool:
        return False

    def is_request_allowed(self, request: Any) -> bool:
        return True

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        if request.method == "GET":
            data = self.parse_query_params(request.query_params)
        else:
            _require_json(request.content_type)
            data = self.parse_json(await request.get_body())
        return _request_data(data)

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
        try:
            return await self.schema.execute(
                request_data.query,
                variable_values=request_data.variables,
                context_value=context,
                operation_name=request_data.operation_name,
                allowed_operation_types=_OPERATIONS[request.method],
                operation_extensions=request_data.extensions,
            )
        except CannotGetOperationTypeError:
            raise HTTPException(400, faults.NO_OPERATION) from None
        except InvalidOperationTypeError as error:
            raise HTTPException(400, _REFUSED_OPERATIONS[error.operation_type]) from None

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        errors = faults.published(result, request.state.request_id)
        response: dict[str, Any] = {}
        if errors:
            response["errors"] = faults.formatted(errors)
        if result.data is not None or any(error.path for error in errors):
            response["data"] = result.data
        return cast(GraphQLHTTPResponse, response)

    async def get_sub_response(self, request: Any) -> Response:
        response = await super().get_sub_response(request)
        response.media_type = request.state.media_type
        return response

    def create_response(self, response_data: Any, sub_response: Response) -> Response:
        refused = "data" not in response_data and sub_response.media_type == RESPONSE_JSON
        content_type = f"{sub_response.media_type}; charset=utf-8"
        return Response(orjson.dumps(response_data), 400 if refused else 200, headers={"content-type": content_type})

    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


_OPERATIONS = {"GET": {OperationType.QUERY}, "POST": {OperationType.QUERY, OperationType.MUTATION}}
_REFUSED_OPERATIONS = {
    OperationType.MUTATION: "Send mutations by POST.",
    OperationType.SUBSCRIPTION: f"Subscribe over WebSocket, with the protocol {GRAPHQL_TRANSPORT_WS_PROTOCOL}.",
}


def _require_method(request: Request) -> None:
    if request.method not in ("GET", "POST"):
        raise HTTPException(405, "Send GraphQL by GET or POST.")


def _require_json(content_type: str | None) -> None:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != PLAIN_JSON:
        raise HTTPException(415, f"Send the body as {PLAIN_JSON}.")


def _negotiated(accept: str | None) -> str:
    """The media type to answer in; JSON for clients that take anything."""
    try:
        best_match = cast(Callable[[list[str], str], str], vars(mimeparse)["best_match"])
        chosen = best_match([RESPONSE_JSON, PLAIN_JSON], accept or "*/*")
    except mimeparse.MimeTypeParseException:
        raise HTTPException(400, "The Accept header can't be read.") from None
    if not chosen:
        raise HTTPException(406, f"Answers are {RESPONSE_JSON} or {PLAIN_JSON}.")
    return chosen


def _request_data(data: Any) -> GraphQLRequestData:
    """The parameters of a request, of the types that the specification gives them."""
    if isinstance(data, list):
        raise HTTPException(400, "Send one operation at a time; batches are not accepted.")
    if not isinstance(data, dict):
        raise HTTPException(400, "The request must be an object with the key `query`.")
    fields = cast(dict[str, Any], data)
    for name, wanted, word in _PARAMETERS:
        if not isinstance(fields.get(name), (wanted, type(None))):
            raise HTTPException(400, f"`{name}` must be {word} or null.")
    if not fields.get("query"):
        raise HTTPException(400, "There is no GraphQL document in `query`.")
    return GraphQLRequestData(
        fields["query"], fields.get("variables"), fields.get("operationName"), fields.get("extensions")
    )


_PARAMETERS = (
    ("query", str, "a string"),
    ("variables", dict, "an object"),
    ("operationName", str, "a string"),
    ("extensions", dict, "an object"),
)


def _refusal(request: Request, status: int, code: ErrorCode, message: str) -> Response:
    """An error of the request itself, in the form of GraphQL's errors."""
    logger.info("refused", request_id=request.state.request_id, status=status, code=str(code), message=message)
    error = {"message": message, "extensions": {"code": code, "requestId": request.state.request_id}}
    media_type = getattr(request.state, "media_type", PLAIN_JSON)
    headers = {"content-type": f"{media_type}; charset=utf-8"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 405:
        headers["Allow"] = "GET, POST"
    return Response(orjson.dumps({"errors": [error]}), status, headers=headers)
