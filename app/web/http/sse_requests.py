"""Requests that want their answer as events: the watch over plain HTTP, and any other operation."""

from functools import partial
from typing import TYPE_CHECKING, cast

from cross_web import HTTPException
from graphql import GraphQLError
from starlette.requests import Request
from strawberry.http import GraphQLRequestData

from app.api.operation.context import Context
from app.api.schema import GatewaySchema
from app.errors import Problem, RateLimited, TokenExpired, Unauthenticated, Unavailable
from app.web.callers.identity import bearer
from app.web.http import sse
from app.web.limits import charging
from app.web.monitoring.operation import EVENTS, Running
from app.web.wire import parameters
from app.web.wire.disconnect import while_there
from app.web.wire.errors import refusal

if TYPE_CHECKING:
    from app.web.http.endpoint import Endpoint


async def is_due(endpoint: "Endpoint", request: Request, accepted: parameters.Accepted) -> bool:
    """Whether the answer is events: for clients that accept no JSON, and for a watch, which JSON can't carry."""
    if accepted.json is None:
        return True
    asked = await endpoint.parse_http_body(parameters.LimitedRequest(request))
    if charging.WATCH_WORD not in (asked.query or ""):
        return False
    await endpoint.charge(request)
    return _is_watch(endpoint, asked)


async def answered(endpoint: "Endpoint", request: Request) -> sse.Events:
    """Clients of events come again after any status, so what will never do, as a bad token, is the last event."""
    try:
        return await _events(endpoint, request)
    except (TokenExpired, RateLimited, Unavailable):
        raise
    except Unauthenticated as error:
        last = charging.refuse_token(endpoint.budgets, request, error)
    except Problem as error:
        last = refusal(request, 200, error.code, str(error))
    return sse.Events(sse.of_answer(bytes(last.body)))


async def _events(endpoint: "Endpoint", request: Request) -> sse.Events:
    """The same operations as events; a watch among them, which plain HTTP can't answer."""
    request.state.media_type = parameters.PLAIN_JSON
    asked = await endpoint.parse_http_body(parameters.LimitedRequest(request))
    await endpoint.charge(request)
    if not _is_watch(endpoint, asked):
        answered = await endpoint.while_client_waits(request, endpoint.planned)
        return sse.Events(sse.of_answer(bytes(answered.body)))
    if (charge := charging.charge_of(request)) is not None and charge.delay:
        await while_there(request.receive, charging.earned(charge))
    return await _watch(endpoint, request, asked)


async def _watch(endpoint: "Endpoint", request: Request, asked: GraphQLRequestData) -> sse.Events:
    streams = cast(GatewaySchema, endpoint.schema).streams
    query, variables = asked.query or "", dict(asked.variables or {})
    endpoint.load.require_room()
    context: Context = await endpoint.get_context(request, None)
    context.last_event_id = _last_event_id(request)
    tenant_id = "" if context.is_anonymous else context.caller.tenant_id
    if (too_many := endpoint.watches.begin(tenant_id, query)) is not None:
        raise HTTPException(429, too_many)
    running: Running = request.state.running
    running.transport = EVENTS
    endpoint.operations.watch_begins(running)
    admit, charge = endpoint.load.admit_watch, charging.charge_of(request)
    toll = charging.toll(charge, None if context.is_anonymous else context.caller, charging.address_of(request))
    watch = sse.of_watch(streams, query, variables, asked.operation_name, context, running, admit, toll)
    token = bearer(request.headers.get("authorization"))
    lease = None if token is None else partial(endpoint.identities.lease, token)
    return sse.Events(watch, lease, lambda: endpoint.watches.end(tenant_id, query))


def _is_watch(endpoint: "Endpoint", asked: GraphQLRequestData) -> bool:
    try:
        return cast(GatewaySchema, endpoint.schema).streams.is_subscription(asked.query or "", asked.operation_name)
    except GraphQLError:
        return False


def _last_event_id(request: Request) -> str | None:
    """The event that a client goes on behind. Several different ones are no cursor, so they are refused as one."""
    sent = dict.fromkeys(one.strip() for one in request.headers.getlist("last-event-id"))
    return ", ".join(one for one in sent if one) or None
