"""Charging operations: each one once, on every transport, before it starts."""

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
from app.web.limits.budget import Charge
from app.web.limits.budgets import Budgets, network
from app.web.wire.errors import error_response

# The attribute of `request.state` with the charge, so that a request is charged only once.
CHARGE = "charge"
# The text of every watch contains this word. The text of a caller whose budget is empty is not parsed to find out more.
WATCH_WORD = "subscription"


def is_charged(request: Request) -> bool:
    """Whether the fast path has charged the request."""
    return hasattr(request.state, CHARGE)


def charge_of(request: Request) -> Charge | None:
    return getattr(request.state, CHARGE, None)


def charge_request(
    budgets: Budgets, request: Request, caller: Caller | None, data: GraphQLRequestData, accepts_events: bool
) -> None:
    """Charge an operation over HTTP. Raises RateLimited. A watch over SSE may go into debt."""
    text, name, variables = data.query or "", data.operation_name, data.variables
    may_owe = accepts_events and WATCH_WORD in text
    charge = budgets.charge(caller, address_of(request), text, name, variables, may_owe)
    request.state.charge = charge
    _require_granted(charge)


async def charge_operation(
    budgets: Budgets | None, caller: Caller | None, address: str, operation: Operation[Any, None]
) -> Charge | None:
    """Charge an operation over WebSocket. Raises RateLimited. A watch that goes into debt waits until it is earned."""
    if budgets is None:
        return None
    text, name, variables = operation.query, operation.operation_name, operation.variables
    charge = budgets.charge(caller, address, text, name, variables, may_owe=WATCH_WORD in text)
    _require_granted(charge)
    await wait_until_earned(charge)
    return charge


async def wait_until_earned(charge: Charge | None) -> None:
    """Sleep until the debt of a charge has been earned."""
    if charge is not None and charge.delay:
        await asyncio.sleep(charge.delay)


def charge_unknown_document(budgets: Budgets | None, caller: Caller | None, address: str) -> Charge | None:
    """Charge a request for a persisted document that can't be served. Raises RateLimited."""
    charge = None if budgets is None else budgets.charge_unknown_document(caller, address)
    _require_granted(charge)
    return charge


def toll(charge: Charge | None, caller: Caller | None, address: str) -> Toll | None:
    """A function that charges one item of a watch's snapshot."""
    if charge is None:
        return None
    return partial(charge.budget.toll, _key(caller, address), max(1, charge.cost - WATCH))


def refund(charge: Charge | None, caller: Caller | None, address: str) -> None:
    """Refund an operation that was shed."""
    if charge is not None:
        charge.budget.refund(_key(caller, address), charge)


def _key(caller: Caller | None, address: str) -> str:
    return network(address) if caller is None else caller.tenant_id


def may_resume(query: str | None, variables: Mapping[str, Any] | None) -> bool:
    """Whether an operation may be a watch that resumes from a cursor. Without its text, any operation may."""
    may_watch = query is None or WATCH_WORD in query
    return may_watch and any(isinstance(value, str) for value in (variables or {}).values())


def charge_bad_token(budgets: Budgets | None, address: str) -> Charge | None:
    """Charge a request with an invalid token. Raises RateLimited."""
    charge = None if budgets is None else budgets.charge_bad_token(address)
    _require_granted(charge)
    return charge


def bad_token_response(budgets: Budgets | None, request: Request, error: Unauthenticated) -> Response:
    """Charge a request with an invalid token, and return its response."""
    try:
        request.state.charge = charge_bad_token(budgets, address_of(request))
    except RateLimited as problem:
        return rate_limit_response(request, problem)
    return error_response(request, 401, ErrorCode.UNAUTHENTICATED, str(error))


def rate_limit_response(request: Request, problem: RateLimited) -> Response:
    return error_response(request, 429, problem.code, str(problem), problem.extensions)


def rate_limit_error(problem: RateLimited, request_id: str) -> GraphQLError:
    extensions = {"code": problem.code, "requestId": request_id, **problem.extensions}
    return GraphQLError(str(problem), extensions=extensions)


def address_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


def network_of(connection: HTTPConnection) -> str:
    return network(address_of(connection))


def _require_granted(charge: Charge | None) -> None:
    if charge is not None and charge.retry_after:
        raise charge.error()
