"""The outcome of each operation, by the caller's role and the state of the consumer's row.

A cell contains one outcome, or five: for no row, pending, accepted, rejected, and revoked.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.harness import operations
from tests.harness.gateway import Gateway, Tenant, refusal_code
from tests.harness.scenario import STATES, Scenario, fresh_id, make_scenario

Operation = Callable[[Tenant, Scenario], Awaitable[str]]


async def image_by_id(caller: Tenant, scenario: Scenario) -> str:
    return _seen((await caller.get(operations.IMAGE, id=scenario.image))["image"])


async def image_as_node(caller: Tenant, scenario: Scenario) -> str:
    return _seen((await caller.get(operations.NODE, id=scenario.image))["node"])


async def row_as_node(caller: Tenant, scenario: Scenario) -> str:
    return _seen((await caller.get(operations.NODE, id=scenario.consumer_row))["node"])


async def default_list(caller: Tenant, scenario: Scenario) -> str:
    return _listed((await caller.get(operations.DEFAULT_IMAGES))["images"], scenario.image)


async def pending_list(caller: Tenant, scenario: Scenario) -> str:
    return _listed((await caller.get(operations.IMAGES, status=["PENDING"]))["images"], scenario.image)


async def list_of_any_status(caller: Tenant, scenario: Scenario) -> str:
    return _listed((await caller.get(operations.IMAGES, status=None))["images"], scenario.image)


async def inbox(caller: Tenant, scenario: Scenario) -> str:
    rows = (await caller.get(operations.OFFERS, status=None))["offers"]
    return "in" if scenario.image in [row["image"]["id"] for row in rows["nodes"]] else "out"


async def outbox(caller: Tenant, scenario: Scenario) -> str:
    rows = (await caller.get(operations.SENT_OFFERS, tenantId=scenario.consumer.id))["sentOffers"]
    return _listed(rows, scenario.consumer_row)


async def members_list(caller: Tenant, scenario: Scenario) -> str:
    image = (await caller.get(operations.IMAGE, id=scenario.image))["image"]
    if image is None:
        return "null"
    assert len(image["members"]["nodes"]) == image["members"]["totalCount"]
    return str(image["members"]["totalCount"])


async def offer_to_a_new_tenant(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.offer(scenario.image, fresh_id()))


async def offer_to_the_consumer(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.offer(scenario.image, scenario.consumer.id))


async def offer_to_the_owner(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.offer(scenario.image, scenario.owner.id))


async def offer_while_private(caller: Tenant, scenario: Scenario) -> str:
    await scenario.owner.update(scenario.image, visibility="PRIVATE")
    return refusal_code(await caller.offer(scenario.image, fresh_id()))


async def offer_over_the_quota(caller: Tenant, scenario: Scenario) -> str:
    while refusal_code(await scenario.owner.offer(scenario.image, fresh_id())) == "ok":
        pass
    return refusal_code(await caller.offer(scenario.image, fresh_id()))


async def accept(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.accept(scenario.image))


async def reject(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.reject(scenario.image))


async def defer(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.defer(scenario.image))


async def revoke(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.revoke(scenario.image, scenario.consumer.id))


async def change_image(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.update(scenario.image, name="renamed"))


async def delete_image(caller: Tenant, scenario: Scenario) -> str:
    return refusal_code(await caller.delete(scenario.image))


ROLES = ("owner", "consumer", "other", "stranger", "operator")
_HIDDEN_OR_FORBIDDEN = "NOT_FOUND / FORBIDDEN / FORBIDDEN / FORBIDDEN / NOT_FOUND"
_WHILE_IT_LIVES = "NOT_FOUND / ok / ok / ok / NOT_FOUND"
_ROW = "null / seen / seen / seen / null"
_NOT_YOURS = (_HIDDEN_OR_FORBIDDEN, "FORBIDDEN", "NOT_FOUND", "FORBIDDEN")

READS: dict[Operation, tuple[str, ...]] = {
    # operation: owner, consumer, other member, stranger, operator
    image_by_id: ("seen", _ROW, "seen", "null", "seen"),
    image_as_node: ("seen", _ROW, "seen", "null", "seen"),
    row_as_node: (_ROW, _ROW, "null", "null", _ROW),
    default_list: ("in", "out / out / in / out / out", "in", "out", "in"),
    pending_list: ("in", "out / in / out / out / out", "out", "out", "in"),
    list_of_any_status: ("in", "out / in / in / in / out", "in", "out", "in"),
    inbox: ("out", "out / in / in / in / out", "in", "out", "out"),
    outbox: ("out / in / in / in / out", "out", "out", "out", "out"),
    members_list: ("1 / 2 / 2 / 2 / 1", "null / 1 / 1 / 1 / null", "1", "null", "1 / 2 / 2 / 2 / 1"),
}
WRITES: dict[Operation, tuple[str, ...]] = {
    offer_to_a_new_tenant: ("ok", *_NOT_YOURS),
    offer_to_the_consumer: ("ok / CONFLICT / CONFLICT / CONFLICT / ok", *_NOT_YOURS),
    offer_to_the_owner: ("BAD_USER_INPUT", *_NOT_YOURS),
    offer_while_private: ("FORBIDDEN", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "FORBIDDEN"),
    offer_over_the_quota: ("LIMIT_EXCEEDED", *_NOT_YOURS),
    accept: ("FORBIDDEN", _WHILE_IT_LIVES, "ok", "NOT_FOUND", "FORBIDDEN"),
    reject: ("FORBIDDEN", _WHILE_IT_LIVES, "ok", "NOT_FOUND", "FORBIDDEN"),
    defer: ("FORBIDDEN", _WHILE_IT_LIVES, "ok", "NOT_FOUND", "FORBIDDEN"),
    revoke: (_WHILE_IT_LIVES, _HIDDEN_OR_FORBIDDEN, "NOT_FOUND", "NOT_FOUND", _WHILE_IT_LIVES),
    change_image: ("ok", *_NOT_YOURS),
    delete_image: ("ok", *_NOT_YOURS),
}


def _cells(table: dict[Operation, tuple[str, ...]]) -> Any:
    cells: list[Any] = []
    for operation, answers in table.items():
        for role, answer in zip(ROLES, answers, strict=True):
            by_state = answer.split(" / ")
            for state, expected in zip(STATES, by_state * 5 if len(by_state) == 1 else by_state, strict=True):
                name = f"{operation.__name__}-{role}-{state}"
                cells.append(pytest.param(operation, role, state, expected, id=name))
    return pytest.mark.parametrize(("operation", "role", "state", "expected"), cells)


@pytest.fixture(scope="module")
async def calm_scenarios(shared_gateway: Gateway) -> dict[str, Scenario]:
    """A scenario in each state, for tests that only read."""
    return {state: await make_scenario(shared_gateway, state) for state in STATES}


@_cells(READS)
async def test_each_role_sees_what_the_table_says(
    calm_scenarios: dict[str, Scenario], operation: Operation, role: str, state: str, expected: str
) -> None:
    scenario = calm_scenarios[state]

    assert await operation(scenario.caller(role), scenario) == expected


@_cells(WRITES)
async def test_each_role_may_do_what_the_table_says(
    shared_gateway: Gateway, operation: Operation, role: str, state: str, expected: str
) -> None:
    scenario = await make_scenario(shared_gateway, state)

    assert await operation(scenario.caller(role), scenario) == expected


def _seen(thing: object) -> str:
    return "null" if thing is None else "seen"


def _listed(page: Any, id_: str) -> str:
    return "in" if id_ in [node["id"] for node in page["nodes"]] else "out"
