"""Requests whose response is a stream of events: a watch over plain HTTP, or any other operation."""

from functools import partial

from cross_web import HTTPException
from graphql import GraphQLError
from starlette.requests import Request

from app.api.operation.context import Context
from app.errors import Problem, RateLimited, TimedOut, TokenExpired, Unauthenticated, Unavailable
from app.lifetime import within
from app.web.http import sse
from app.web.http.exchange import Exchange
from app.web.limits import charging
from app.web.monitoring.operation import EVENTS, Running
from app.web.pipeline import Requested
from app.web.wire import parameters
from app.web.wire.errors import error_response


async def is_due(exchange: Exchange, accepted: parameters.AcceptedTypes) -> bool:
    """Whether the response is events: for clients that accept no JSON, and for a watch, which JSON can't carry."""
    if accepted.json is None:
        return True
    if charging.WATCH_WORD not in ((await exchange.parameters()).query or ""):
        return False
    await exchange.charge()
    return await _is_watch(exchange)


async def response(exchange: Exchange) -> sse.Events:
    """Clients of events reconnect after any status, so what can never succeed, as a bad token, is the last event."""
    request = exchange.request
    try:
        return await _events(exchange)
    except (TokenExpired, RateLimited, Unavailable):
        raise
    except Unauthenticated as error:
        last = charging.bad_token_response(exchange.pipeline.budgets, request, error)
    except Problem as error:
        last = error_response(request, 200, error.code, str(error))
    return sse.Events(sse.of_answer(bytes(last.body)))


async def _events(exchange: Exchange) -> sse.Events:
    exchange.request.state.media_type = parameters.PLAIN_JSON
    await exchange.parameters()
    await exchange.charge()
    if not await _is_watch(exchange):
        whole = await exchange.response()
        return sse.Events(sse.of_answer(bytes(whole.body)))
    if (charge := charging.charge_of(exchange.request)) is not None and charge.delay:
        await exchange.while_client_waits(charging.wait_until_earned(charge))
    return await _watch(exchange)


async def _watch(exchange: Exchange) -> sse.Events:
    request, pipeline, requested = exchange.request, exchange.pipeline, await exchange.requested()
    await _require_store(exchange, requested)
    tenant_id = "" if requested.caller is None else requested.caller.tenant_id
    if (too_many := pipeline.watches.begin(tenant_id, requested.text)) is not None:
        raise HTTPException(429, too_many)
    context = Context(pipeline.services, requested.caller, requested.request_id)
    context.last_event_id = _last_event_id(request)
    running: Running = request.state.running
    running.transport = EVENTS
    pipeline.operations.watch_begins(running)
    admit = partial(pipeline.admit_watch, requested)
    toll = charging.toll(requested.charge, requested.caller, requested.address)
    payloads = pipeline.schema.streams.run(requested.text, requested.variables, requested.name, context, admit, toll)
    lease = None if exchange.token is None else partial(exchange.identities.lease, exchange.token)
    watch = sse.of_watch(payloads, context, running)
    return sse.Events(watch, lease, lambda: pipeline.watches.end(tenant_id, requested.text))


async def _require_store(exchange: Exchange, requested: Requested) -> None:
    """Raises Unavailable when the store is away: once the stream has begun, no status can report it."""
    life = exchange.pipeline.admit_watch(requested)
    try:
        await exchange.while_client_waits(within(life, exchange.pipeline.services.feed.head()))
    except TimedOut as late:
        raise Unavailable(str(late)) from late


async def _is_watch(exchange: Exchange) -> bool:
    asked = await exchange.parameters()
    try:
        return exchange.pipeline.schema.streams.is_subscription(asked.query or "", asked.operation_name)
    except GraphQLError:
        return False


def _last_event_id(request: Request) -> str | None:
    """The event that a client goes on behind. Several different ones are no cursor, so they are refused as one."""
    sent = dict.fromkeys(one.strip() for one in request.headers.getlist("last-event-id"))
    return ", ".join(one for one in sent if one) or None
