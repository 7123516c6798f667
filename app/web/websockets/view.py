"""Strawberry's view, used for WebSockets only: its protocol, with our handler and limits."""

from datetime import timedelta
from typing import Any

from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from app.web.callers.identity import IdentityProvider
from app.web.limits.socket_quota import SocketQuotas
from app.web.pipeline import Pipeline
from app.web.websockets.connection import Connection, Socket
from app.web.websockets.handler import OperationHandler
from app.web.wire import exact_json
from app.web.wire.cors import CorsPolicy


class SocketView(GraphQL[Any, None]):
    """The ASGI application of WebSockets, with the parts that the handlers of all sockets share."""

    graphql_transport_ws_handler_class = OperationHandler
    websocket_adapter_class = Socket

    def __init__(self, pipeline: Pipeline, identities: IdentityProvider, cors: CorsPolicy) -> None:
        settings = pipeline.services.settings
        super().__init__(
            pipeline.schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            allowed_origins=cors.origins,
            connection_init_wait_timeout=timedelta(seconds=settings.connection_init_seconds),
            max_subscriptions_per_connection=settings.max_operations_per_socket,
        )
        self.pipeline = pipeline
        self.identities = identities
        self.quotas = SocketQuotas(settings)

    async def get_context(self, request: Any, response: Any) -> Any:
        return Connection()

    def decode_json(self, data: str | bytes) -> object:
        return exact_json.loads(data)
