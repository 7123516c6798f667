"""GraphQL over HTTP, as the specification has it: /graphql for GET and POST, and the door to the WebSocket."""

from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import RateLimited, Unauthenticated
from app.web.browser.ide import Ide
from app.web.callers.identity import IdentityProvider
from app.web.http import caching, sse, sse_requests
from app.web.http.exchange import Exchange
from app.web.limits import charging
from app.web.monitoring.operation import HTTP
from app.web.pipeline import Pipeline
from app.web.wire import parameters
from app.web.wire.cors import CorsPolicy
from app.web.wire.errors import response_to


class Endpoint:
    """The ASGI application of /graphql. `sockets` is the one for WebSockets."""

    def __init__(
        self, pipeline: Pipeline, identities: IdentityProvider, cors: CorsPolicy, sockets: ASGIApp, ide: Ide | None
    ) -> None:
        self._pipeline = pipeline
        self._identities = identities
        self._cors = cors
        self._sockets = sockets
        self._ide = ide
        self._max_age = pipeline.services.settings.documents_max_age_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._sockets(scope, receive, send)
            return
        request = Request(scope, receive)
        if self._ide is not None and (page := self._ide.page_for(request)):
            await page(scope, receive, send)
            return
        request.state.request_id = uuid4().hex
        with self._pipeline.operations.running(HTTP, request.state.request_id, request.headers) as running:
            request.state.running = running
            response = caching.conditioned(request, await self._response(request), self._max_age)
            response.headers["X-Request-ID"] = request.state.request_id
            if (charge := charging.charge_of(request)) is not None:
                response.headers.update(charge.headers())
            if isinstance(response, sse.Events):
                await response(scope, receive, send)
                return
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response | sse.Events:
        try:
            return await self._accepted(request)
        except Unauthenticated as error:
            return charging.bad_token_response(self._pipeline.budgets, request, error)
        except RateLimited as error:
            return charging.rate_limit_response(request, error)
        except Exception as error:  # noqa: BLE001  # the last door: whatever it is, the client is told what it may know
            return response_to(request, error)

    async def _accepted(self, request: Request) -> Response | sse.Events:
        parameters.require_method(request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": parameters.METHODS})
        self._cors.require_same_origin(request)
        accepted = parameters.parse_accept(parameters.accept_header(request))
        request.state.media_type = accepted.json or parameters.PLAIN_JSON
        exchange = Exchange(request, self._pipeline, self._identities)
        if accepted.events and request.method != "HEAD" and await sse_requests.is_due(exchange, accepted):
            return await sse_requests.response(exchange)
        parameters.require_json_accepted(accepted)
        await exchange.charge()
        return await exchange.response()
