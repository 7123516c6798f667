"""The endpoint /graphql: GraphQL over HTTP by GET and POST, as JSON or as events."""

from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import RateLimited, Unauthenticated
from app.tracebacks import clear_tracebacks
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
        with self._pipeline.operations.record(HTTP, request.state.request_id, request.headers) as record:
            request.state.record = record
            response = await self._response(request)
            response = caching.add_cache_headers(request, response, self._max_age, self._identities.token_header)
            response.headers["X-Request-ID"] = request.state.request_id
            if (charge := charging.charge_of(request)) is not None:
                response.headers.update(charge.headers())
            if isinstance(response, sse.EventStream):
                await response(scope, receive, send)
                return
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response | sse.EventStream:
        try:
            return await self._accept(request)
        except Exception as error:  # noqa: BLE001  # whatever was raised, the client gets a response
            response = response_to(request, self._charge_invalid_token(request, error))
            clear_tracebacks(error)
            return sse_requests.problem_response(request, response)

    def _charge_invalid_token(self, request: Request, error: Exception) -> Exception:
        """Charge an invalid token to its address. Returns the error to report: RateLimited if the budget is spent."""
        if isinstance(error, Unauthenticated):
            try:
                charge = charging.charge_bad_token(self._pipeline.budgets, charging.address_of(request))
                charging.keep_charge(request, charge)
            except RateLimited as limited:
                return limited
        return error

    async def _accept(self, request: Request) -> Response | sse.EventStream:
        parameters.require_method(request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": parameters.METHODS})
        self._cors.require_same_origin(request)
        accepted = parameters.parse_accept(parameters.accept_header(request))
        request.state.media_type = accepted.json or parameters.PLAIN_JSON
        if accepted.json is None and accepted.events and request.method != "HEAD":
            request.state.is_event_stream = True
        exchange = Exchange(request, self._pipeline, self._identities)
        if accepted.events and request.method != "HEAD" and await sse_requests.is_due(exchange, accepted):
            return await sse_requests.response(exchange)
        parameters.require_json_accepted(accepted)
        return await exchange.response()
