"""Charging operations: each one once, on every transport, before it starts."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import HTTPConnection, Request

from app.api.watch.streams import Toll
from app.documents.price import WATCH
from app.model import Caller
from app.web.limits.budget import Charge
from app.web.limits.budgets import Budgets, network

# The attribute of `request.state` with the charge.
CHARGE = "charge"
# The text of every watch contains this word. The text of a caller whose budget is empty is not parsed to find out more.
WATCH_WORD = "subscription"


def charge_of(request: Request) -> Charge | None:
    return getattr(request.state, CHARGE, None)


def keep_charge(request: Request, charge: Charge | None) -> None:
    """Keep what a request was charged, for the headers of its response."""
    setattr(request.state, CHARGE, charge)


def require_granted(charge: Charge | None) -> None:
    """Raises RateLimited."""
    if charge is not None and charge.retry_after:
        raise charge.error()


async def wait_until_earned(charge: Charge | None) -> None:
    """Sleep until the debt of a charge has been earned."""
    if charge is not None and charge.delay:
        await asyncio.sleep(charge.delay)


def charge_unknown_document(budgets: Budgets | None, caller: Caller | None, address: str) -> Charge | None:
    """Charge a request for a persisted document that can't be served. Raises RateLimited."""
    charge = None if budgets is None else budgets.charge_unknown_document(caller, address)
    require_granted(charge)
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
    require_granted(charge)
    return charge


def address_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


def network_of(connection: HTTPConnection) -> str:
    return network(address_of(connection))
