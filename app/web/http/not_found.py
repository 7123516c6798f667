"""The response to a request for a path at which there is nothing."""

from uuid import uuid4

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from app.errors import ErrorCode
from app.web.wire.errors import error_body
from app.web.wire.parameters import PLAIN_JSON

MESSAGE = "There is nothing at this path. The API is at /graphql, for HTTP and for WebSocket."


async def respond_not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with 404, also to the handshake of a WebSocket, which Starlette would refuse with 403."""
    id = uuid4().hex
    headers = {"content-type": f"{PLAIN_JSON}; charset=utf-8", "x-request-id": id}
    response = Response(error_body(ErrorCode.BAD_REQUEST, MESSAGE, id), 404, headers=headers)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
