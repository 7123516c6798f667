"""Requests whose response is an event stream: watches over HTTP, and everything for clients that accept no JSON."""

from functools import partial

from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response

from app.api.operation.context import Context
from app.errors import TimedOut, Unavailable
from app.lifetime import within
from app.web.http import sse
from app.web.http.exchange import Exchange
from app.web.limits import charging
from app.web.monitoring.operation import EVENTS, OperationRecord
from app.web.pipeline import OperationRequest
from app.web.wire import parameters


async def is_due(exchange: Exchange, accepted: parameters.AcceptedTypes) -> bool:
    """Whether the response is an event stream."""
    if accepted.json is None:
        return True
    if charging.WATCH_WORD not in (await exchange.operation()).text:
        return False
    return _is_watch(exchange, await exchange.charged_operation(may_owe=True))


async def response(exchange: Exchange) -> sse.EventStream:
    """The event stream, once the operation is charged and, if it is a watch, what it owes is earned."""
    exchange.request.state.is_event_stream = True
    exchange.request.state.media_type = parameters.PLAIN_JSON
    operation = await exchange.charged_operation(may_owe=True)
    if not _is_watch(exchange, operation):
        return sse.response_events(await exchange.response())
    if operation.charge is not None and operation.charge.delay:
        await exchange.while_client_waits(charging.wait_until_earned(operation.charge))
    return await _watch(exchange, operation)


def problem_response(request: Request, response: Response) -> Response | sse.EventStream:
    """The response to a problem: the last event of the stream unless it has a status that says to try again."""
    is_event = getattr(request.state, "is_event_stream", False) and response.status_code == 200
    return sse.response_events(response) if is_event else response


async def _watch(exchange: Exchange, operation: OperationRequest) -> sse.EventStream:
    request, pipeline = exchange.request, exchange.pipeline
    await _require_store(exchange, operation)
    pipeline.begin_watch(operation)
    context = Context(pipeline.services, operation.caller, operation.request_id)
    context.last_event_id = _last_event_id(request)
    record: OperationRecord = request.state.record
    record.transport = EVENTS
    pipeline.operations.start_watch(record)
    lease = None if exchange.token is None else partial(exchange.identities.lease, exchange.token)
    events = sse.watch_events(pipeline.watch(operation, context), context, record)
    return sse.EventStream(events, lease, partial(pipeline.end_watch, operation))


async def _require_store(exchange: Exchange, operation: OperationRequest) -> None:
    """Raises Unavailable when the store is away: once the stream has begun, no status can report it."""
    life = exchange.pipeline.admit_watch(operation)
    try:
        await exchange.while_client_waits(within(life, exchange.pipeline.services.feed.head()))
    except TimedOut as late:
        raise Unavailable(str(late)) from late


def _is_watch(exchange: Exchange, operation: OperationRequest) -> bool:
    try:
        return exchange.pipeline.is_watch(operation)
    except GraphQLError:
        return False  # executing it reports the error


def _last_event_id(request: Request) -> str | None:
    """The event after which a client resumes. Different IDs are joined, so that the cursor is refused as invalid."""
    sent = dict.fromkeys(id.strip() for id in request.headers.getlist("last-event-id"))
    return ", ".join(id for id in sent if id) or None
