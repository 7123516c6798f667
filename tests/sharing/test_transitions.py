"""What each act makes of a member row, from each state it may be in."""

from typing import Any

import pytest

from tests.harness import operations
from tests.harness.gateway import Gateway, refusal_code
from tests.harness.story import member_changes_after
from tests.harness.world import World, make_world

INERT = "inert"
ACTS = ("offer", "revoke", "accept", "reject", "defer")
TABLE = {
    # from: offer, revoke, accept, reject, defer; the row after the act, or the refusal
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
async def test_an_act_takes_the_row_where_the_table_says(
    shared_gateway: Gateway, state: str, act: str, after: str
) -> None:
    world = await make_world(shared_gateway, "accepted" if state == INERT else state)
    if state == INERT:
        await world.owner.update(world.image, visibility="PRIVATE")
    before, told_before = await _row(world), await _member_change_count(shared_gateway)

    code = refusal_code(await _do(world, act))

    row = await _row(world)
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
    world = await make_world(shared_gateway, "accepted" if state == INERT else state)
    if state == INERT:
        await world.owner.update(world.image, visibility="PRIVATE")
    told = await _member_change_count(shared_gateway)

    async with world.consumer.watch() as consumers, world.owner.watch() as owners:
        await anext(consumers)
        await anext(owners)
        assert refusal_code(await world.owner.delete(world.image)) == "ok"
        to_consumer, to_owner = await anext(consumers), [await anext(owners), await anext(owners)]

    assert await _row(world) is None
    assert await _member_change_count(shared_gateway) == told + 2
    assert (to_consumer["kind"], to_consumer["status"], to_consumer["member"]) == ("IMAGE_DELETED", None, None)
    assert {item["tenant"]["id"] for item in to_owner} == {world.consumer.id, world.other.id}


async def test_leaving_shared_and_coming_back_revives_the_rows_with_their_status(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "accepted")
    before = await _row(world)

    for visibility in ("PRIVATE", "COMMUNITY", "SHARED"):
        await world.owner.update(world.image, visibility=visibility)

    assert await _row(world) == before
    assert (await world.consumer.get(operations.DEFAULT_IMAGES))["images"]["totalCount"] == 1


async def test_an_offer_after_a_revoke_is_a_new_row(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "revoked")

    new = (await world.owner.offer(world.image, world.consumer.id))["members"][0]

    assert new["id"] != world.consumer_row
    assert (new["status"], new["createdAt"]) == ("PENDING", new["updatedAt"])


async def _do(world: World, act: str) -> Any:
    if act == "offer":
        return await world.owner.offer(world.image, world.consumer.id)
    if act == "revoke":
        return await world.owner.revoke(world.image, world.consumer.id)
    return await getattr(world.consumer, act)(world.image)


async def _row(world: World) -> Any:
    """The consumer's row as the owner sees it, inert or not."""
    sent = await world.owner.get(operations.SENT_OFFERS, imageId=world.image, tenantId=world.consumer.id)
    return next(iter(sent["sentOffers"]["nodes"]), None)


async def _member_change_count(gateway: Gateway) -> int:
    """The number of member changes in the log."""
    return len(await member_changes_after(gateway.services.store, 0))


def _status(row: Any) -> str | None:
    return None if row is None else row["status"]
