"""The effect of each operation on a member row in each state."""

from typing import Any

import pytest

from tests.harness import operations
from tests.harness.event_log import member_changes_after
from tests.harness.gateway import Gateway, refusal_code
from tests.harness.scenario import Scenario, make_scenario

INERT = "inert"
ACTS = ("offer", "revoke", "accept", "reject", "defer")
TABLE = {
    # state: offer, revoke, accept, reject, defer; the status afterwards, or the refusal
    "none": ("PENDING", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"),
    "pending": ("CONFLICT", "none", "ACCEPTED", "REJECTED", "PENDING"),
    "accepted": ("CONFLICT", "none", "ACCEPTED", "REJECTED", "PENDING"),
    "rejected": ("CONFLICT", "none", "ACCEPTED", "REJECTED", "PENDING"),
    "revoked": ("PENDING", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"),
    INERT: ("FORBIDDEN", "none", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"),
}
CASES = [
    pytest.param(state, act, after, id=f"{state}-{act}")
    for state, cells in TABLE.items()
    for act, after in zip(ACTS, cells, strict=True)
]


@pytest.mark.parametrize(("state", "act", "after"), CASES)
async def test_each_operation_changes_the_row_as_the_table_says(
    shared_gateway: Gateway, state: str, act: str, after: str
) -> None:
    scenario = await make_scenario(shared_gateway, "accepted" if state == INERT else state)
    if state == INERT:
        await scenario.owner.update(scenario.image, visibility="PRIVATE")
    before, told_before = await _row(scenario), await _member_change_count(shared_gateway)

    code = refusal_code(await _do(scenario, act))

    row = await _row(scenario)
    if after.isupper() and after not in ("PENDING", "ACCEPTED", "REJECTED"):
        assert (code, row, await _member_change_count(shared_gateway)) == (after, before, told_before)
        return
    assert code == "ok"
    assert (None if row is None else row["status"]) == (None if after == "none" else after)
    changed = _status(before) != _status(row)
    assert await _member_change_count(shared_gateway) == told_before + changed
    assert changed or row == before, "what changes nothing leaves `updatedAt` as it was"


@pytest.mark.parametrize("state", ["pending", "accepted", "rejected", INERT])
async def test_deleting_the_image_ends_each_membership_with_one_event(shared_gateway: Gateway, state: str) -> None:
    scenario = await make_scenario(shared_gateway, "accepted" if state == INERT else state)
    if state == INERT:
        await scenario.owner.update(scenario.image, visibility="PRIVATE")
    change_count = await _member_change_count(shared_gateway)

    async with scenario.consumer.watch() as consumers, scenario.owner.watch() as owners:
        await anext(consumers)
        await anext(owners)
        assert refusal_code(await scenario.owner.delete(scenario.image)) == "ok"
        to_consumer, to_owner = await anext(consumers), [await anext(owners), await anext(owners)]

    assert await _row(scenario) is None
    assert await _member_change_count(shared_gateway) == change_count + 2
    assert (to_consumer["kind"], to_consumer["status"], to_consumer["member"]) == ("IMAGE_DELETED", None, None)
    assert {item["tenant"]["id"] for item in to_owner} == {scenario.consumer.id, scenario.other.id}


async def test_sharing_an_image_again_restores_the_status_of_its_members(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "accepted")
    before = await _row(scenario)

    for visibility in ("PRIVATE", "COMMUNITY", "SHARED"):
        await scenario.owner.update(scenario.image, visibility=visibility)

    assert await _row(scenario) == before
    assert (await scenario.consumer.get(operations.DEFAULT_IMAGES))["images"]["totalCount"] == 1


async def test_an_offer_after_a_revoke_is_a_new_row(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "revoked")

    new = (await scenario.owner.offer(scenario.image, scenario.consumer.id))["members"][0]

    assert new["id"] != scenario.consumer_row
    assert (new["status"], new["createdAt"]) == ("PENDING", new["updatedAt"])


async def _do(scenario: Scenario, act: str) -> Any:
    if act == "offer":
        return await scenario.owner.offer(scenario.image, scenario.consumer.id)
    if act == "revoke":
        return await scenario.owner.revoke(scenario.image, scenario.consumer.id)
    return await getattr(scenario.consumer, act)(scenario.image)


async def _row(scenario: Scenario) -> Any:
    """The consumer's row as the owner sees it, inert or not."""
    sent = await scenario.owner.get(operations.SENT_OFFERS, imageId=scenario.image, tenantId=scenario.consumer.id)
    return next(iter(sent["sentOffers"]["nodes"]), None)


async def _member_change_count(gateway: Gateway) -> int:
    """The number of member changes in the log."""
    return len(await member_changes_after(gateway.services.store, 0))


def _status(row: Any) -> str | None:
    return None if row is None else row["status"]
