"""Roles inside a tenant, and the operator across tenants."""

from collections.abc import Awaitable, Callable

import pytest

from tests.harness import operations
from tests.harness.gateway import IMAGE, Gateway, Tenant, refusal_code
from tests.harness.scenario import Scenario, make_scenario

Action = Callable[[Tenant, Scenario], Awaitable[str]]


async def register(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.do("registerImage", **IMAGE))


async def offer(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.offer(scenario.image, scenario.stranger.id))


async def change(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.update(scenario.image, name="renamed"))


async def delete(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.delete(scenario.image))


async def revoke(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.revoke(scenario.image, scenario.consumer.id))


async def accept(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.accept(scenario.image))


async def read(caller: Tenant, scenario: Scenario) -> str:
    return "ok" if (await caller.get(operations.IMAGE, id=scenario.image))["image"] else "null"


OWNER = [
    (register, "FORBIDDEN", "ok", "ok", "FORBIDDEN"),
    (offer, "FORBIDDEN", "ok", "ok", "FORBIDDEN"),
    (change, "FORBIDDEN", "FORBIDDEN", "ok", "FORBIDDEN"),
    (delete, "FORBIDDEN", "FORBIDDEN", "ok", "FORBIDDEN"),
    (revoke, "FORBIDDEN", "FORBIDDEN", "ok", "ok"),
    (read, "ok", "ok", "ok", "ok"),
]
CONSUMER = [
    (accept, "FORBIDDEN", "FORBIDDEN", "ok", "FORBIDDEN"),
    (revoke, "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "ok"),
    (change, "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
    (read, "ok", "ok", "ok", "ok"),
]
CASES = [
    pytest.param(side, role, action, expected, id=f"{side}-{role}-{action.__name__}")
    for side, rows in (("owner", OWNER), ("consumer", CONSUMER))
    for action, *answers in rows
    for role, expected in zip(("observer", "creator", "admin", "operator"), answers, strict=True)
]


@pytest.mark.parametrize(("side", "role", "action", "expected"), CASES)
async def test_a_role_allows_inside_its_tenant_what_the_table_says(
    shared_gateway: Gateway, side: str, role: str, action: Action, expected: str
) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    caller = shared_gateway.tenant(scenario.caller(side).id, role)

    assert await action(caller, scenario) == expected


@pytest.mark.parametrize("action", [offer, accept, change, delete, revoke])
async def test_a_weak_role_of_a_stranger_learns_no_more_than_a_strong_one(
    shared_gateway: Gateway, action: Action
) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    caller = shared_gateway.tenant(scenario.stranger.id, "observer")

    assert await action(caller, scenario) == "NOT_FOUND"


async def test_an_operator_makes_images_public_and_deactivates_them_and_changes_nothing_else(
    shared_gateway: Gateway,
) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    operator = scenario.operator

    assert refusal_code(await operator.update(scenario.image, status="DEACTIVATED")) == "ok"
    assert refusal_code(await operator.update(scenario.image, status="ACTIVE")) == "ok"
    assert refusal_code(await operator.update(scenario.image, visibility="PUBLIC")) == "ok"
    for changes in ({"visibility": "PRIVATE"}, {"name": "x"}, {"status": "DEACTIVATED", "name": "x"}, {}):
        assert refusal_code(await operator.update(scenario.image, **changes)) == "FORBIDDEN"


async def test_an_operator_who_is_an_admin_too_acts_for_its_own_tenant(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    both = shared_gateway.tenant(scenario.consumer.id, "admin", "operator")
    owner_too = shared_gateway.tenant(scenario.owner.id, "admin", "operator")

    assert await accept(both, scenario) == "ok"
    assert await offer(both, scenario) == "FORBIDDEN"
    assert await offer(owner_too, scenario) == "ok"
