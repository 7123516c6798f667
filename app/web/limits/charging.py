"""Where operations are charged: once each, on whatever transport they come, before any of them is carried out."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from graphql import GraphQLError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from strawberry.http import GraphQLRequestData
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import Operation

from app.api.watch.streams import Toll
from app.documents.price import WATCH
from app.errors import ErrorCode, RateLimited, Unauthenticated
from app.model import Caller
from app.web.limits.budget import Budgets, Charge, network
from app.web.wire.errors import refusal

# Where a request keeps what it was charged, so that it is not charged once more.
CHARGE = "charge"
# What stands in the text of every watch. Who has spent all has no text read, so nothing more is known of it.
WATCH_WORD = "subscription"


def is_charged(request: Request) -> bool:
    """Whether the short lane has done it."""
    return hasattr(request.state, CHARGE)


def charge_of(request: Request) -> Charge | None:
    return getattr(request.state, CHARGE, None)


def charge_request(
    budgets: Budgets, request: Request, caller: Caller | None, asked: GraphQLRequestData, accepts_events: bool
) -> None:
    """Raises RateLimited. A watch that can be sent as events is lent what it lacks."""
    text, name, variables = asked.query or "", asked.operation_name, asked.variables
    lends = accepts_events and WATCH_WORD in text
    charge = budgets.charge(caller, address_of(request), text, name, variables, lends)
    request.state.charge = charge
    _require_granted(charge)


async def charge_operation(
    budgets: Budgets | None, caller: Caller | None, address: str, operation: Operation[Any, None]
) -> Charge | None:
    """The same over WebSocket, where a watch begins when what it was lent has been earned."""
    if budgets is None:
        return None
    text, name, variables = operation.query, operation.operation_name, operation.variables
    charge = budgets.charge(caller, address, text, name, variables, lends=WATCH_WORD in text)
    _require_granted(charge)
    await earned(charge)
    return charge


async def earned(charge: Charge | None) -> None:
    """Return when what was lent has been earned; no other watch is kept waiting meanwhile."""
    if charge is not None and charge.delay:
        await asyncio.sleep(charge.delay)


def charge_unread(budgets: Budgets | None, caller: Caller | None, address: str) -> Charge | None:
    """Of an operation whose document was refused by its name. Raises RateLimited."""
    charge = None if budgets is None else budgets.charge_unread(caller, address)
    _require_granted(charge)
    return charge


def toll(charge: Charge | None, caller: Caller | None, address: str) -> Toll | None:
    """Takes what an item of a watch's snapshot costs, each time that one is produced."""
    if charge is None:
        return None
    return partial(charge.budget.toll, _payer(caller, address), max(1, charge.cost - WATCH))


def refund(charge: Charge | None, caller: Caller | None, address: str) -> None:
    """Of an operation that the gateway has then no room for."""
    if charge is not None:
        charge.budget.refund(_payer(caller, address), charge)


def _payer(caller: Caller | None, address: str) -> str:
    return network(address) if caller is None else caller.tenant_id


def may_be_resumed(query: str | None, variables: Mapping[str, Any] | None) -> bool:
    """Whether this looks like a watch that goes on from a cursor; without its text it may be anything."""
    is_watch = query is None or WATCH_WORD in query
    return is_watch and any(isinstance(value, str) for value in (variables or {}).values())


def charge_bad_token(budgets: Budgets | None, address: str) -> Charge | None:
    """Raises RateLimited."""
    charge = None if budgets is None else budgets.charge_bad_token(address)
    _require_granted(charge)
    return charge


def refuse_token(budgets: Budgets | None, request: Request, error: Unauthenticated) -> Response:
    """The answer to a token that does not count."""
    try:
        request.state.charge = charge_bad_token(budgets, address_of(request))
    except RateLimited as problem:
        return refuse(request, problem)
    return refusal(request, 401, ErrorCode.UNAUTHENTICATED, str(error))


def refuse(request: Request, problem: RateLimited) -> Response:
    return refusal(request, 429, problem.code, str(problem), problem.extensions)


def as_error(problem: RateLimited, request_id: str) -> GraphQLError:
    extensions = {"code": problem.code, "requestId": request_id, **problem.extensions}
    return GraphQLError(str(problem), extensions=extensions)


def address_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


def network_of(connection: HTTPConnection) -> str:
    return network(address_of(connection))


def _require_granted(charge: Charge | None) -> None:
    if charge is not None and charge.retry_after:
        raise charge.refusal()
