"""The watch of images: the viewer's own, and those shared to it."""

from typing import Any

import pytest

from tests.harness.gateway import Gateway, Tenant
from tests.harness.operations import WATCH_IMAGES
from tests.harness.scenario import Scenario, fresh_id, make_scenario


async def now(caller: Tenant) -> str:
    async with caller.watch(query=WATCH_IMAGES) as items:
        return (await anext(items))["cursor"]


async def changes_after(caller: Tenant, after: str, **variables: Any) -> list[Any]:
    """All changes so far, delimited by a change of a marker image."""
    mark = await caller.register(status="QUEUED", name="mark")
    received: list[Any] = []
    async with caller.watch(query=WATCH_IMAGES, after=after, **variables) as items:
        async for item in items:
            if item["imageId"] == mark:
                return received
            received.append(item)
    raise AssertionError("the watch ended")


def steps(items: list[Any]) -> list[Any]:
    return [(item["kind"], item["state"], item["sight"]) for item in items]


async def test_the_owner_receives_every_change_of_an_image(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())
    start = await now(owner)
    image = await owner.register(status="QUEUED")
    await owner.update(image, status="SAVING", visibility="PRIVATE")
    await owner.update(image, name="no change of status or visibility")
    await owner.delete(image)

    received = await changes_after(owner, start)

    assert steps(received) == [
        ("REGISTERED", "QUEUED", "SHARED"),
        ("CHANGED", "SAVING", "PRIVATE"),
        ("DELETED", None, None),
    ]
    assert [(item["previousStatus"], item["previousVisibility"]) for item in received] == [
        (None, None),
        ("QUEUED", "SHARED"),
        ("SAVING", "PRIVATE"),
    ]
    assert {item["owner"]["id"] for item in received} == {owner.id}


async def test_a_consumer_receives_gaining_and_losing_an_image_and_nothing_outside(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "none", status="SAVING")
    start = await now(scenario.consumer)
    await scenario.owner.offer(scenario.image, scenario.consumer.id)
    await scenario.consumer.accept(scenario.image)
    await scenario.owner.update(scenario.image, status="ACTIVE")
    await scenario.owner.update(scenario.image, visibility="PRIVATE")
    await scenario.owner.update(scenario.image, visibility="COMMUNITY")
    await scenario.owner.update(scenario.image, visibility="SHARED")
    await scenario.owner.revoke(scenario.image, scenario.consumer.id)
    await scenario.owner.update(scenario.image, visibility="PRIVATE")
    await scenario.owner.delete(scenario.image)

    received = await changes_after(scenario.consumer, start)

    assert steps(received) == [
        ("ACCESS_GAINED", "SAVING", "SHARED"),
        ("CHANGED", "ACTIVE", "SHARED"),
        ("ACCESS_LOST", None, None),
        ("ACCESS_GAINED", "ACTIVE", "SHARED"),
        ("ACCESS_LOST", None, None),
    ]
    assert {item["image"] and item["image"]["id"] for item in received} == {None}


async def test_the_deletion_of_an_image_reaches_its_consumers_only_if_it_is_shared(
    shared_gateway: Gateway,
) -> None:
    for visibility, expected in (("SHARED", ["DELETED"]), ("PRIVATE", ["ACCESS_LOST"])):
        scenario = await make_scenario(shared_gateway, "accepted")
        start = await now(scenario.consumer)
        await scenario.owner.update(scenario.image, visibility=visibility)
        await scenario.owner.delete(scenario.image)
        assert [item["kind"] for item in await changes_after(scenario.consumer, start)] == expected


async def test_an_image_that_becomes_public_stays_visible_but_sends_no_more_changes(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    start = await now(scenario.consumer)
    await scenario.owner.update(scenario.image, visibility="COMMUNITY")
    await scenario.owner.update(scenario.image, visibility="PRIVATE")

    [last] = await changes_after(scenario.consumer, start)

    assert (last["kind"], last["previousVisibility"], last["sight"]) == ("CHANGED", "SHARED", "COMMUNITY")


async def test_each_party_receives_only_its_own_side(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "accepted", status="SAVING")
    starts = {name: await now(scenario.caller(name)) for name in ("owner", "consumer", "other", "stranger")}
    await scenario.owner.update(scenario.image, status="ACTIVE")

    async def received(name: str, **filter: Any) -> list[Any]:
        changes = await changes_after(scenario.caller(name), starts[name])
        return [item["kind"] for item in changes if item["imageId"] == scenario.image]

    assert [await received(name) for name in starts] == [["CHANGED"], ["CHANGED"], ["CHANGED"], []]


async def test_an_operator_receives_the_changes_of_every_image_once(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "accepted", status="SAVING")
    operator = shared_gateway.tenant(scenario.consumer.id, "admin", "operator")
    start = await now(operator)
    await scenario.owner.update(scenario.image, status="ACTIVE", visibility="PRIVATE")

    [change] = [item for item in await changes_after(operator, start) if item["imageId"] == scenario.image]

    assert (change["kind"], change["sight"]) == ("CHANGED", "PRIVATE")


async def test_an_unknown_and_a_foreign_image_give_the_same_silent_stream(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "accepted", status="SAVING")
    for image in (scenario.image, "00000000-0000-4000-8000-000000000000", "nonsense", "\0"):
        async with scenario.stranger.watch(query=WATCH_IMAGES, initial="SNAPSHOT", filter={"imageId": image}) as items:
            assert (await anext(items))["__typename"] == "WatchSynced"


@pytest.mark.parametrize(
    ("caller", "filter", "seen"),
    [
        ("owner", None, 1),
        ("consumer", None, 1),
        ("stranger", None, 0),
        ("owner", {"role": "CONSUMER"}, 0),
        ("consumer", {"role": "CONSUMER"}, 1),
        ("consumer", {"role": "PRODUCER"}, 0),
    ],
)
async def test_a_snapshot_contains_own_images_and_active_memberships(
    shared_gateway: Gateway, caller: str, filter: Any, seen: int
) -> None:
    scenario: Scenario = await make_scenario(shared_gateway, "pending")
    variables = {"initial": "SNAPSHOT", "filter": filter}

    async with scenario.caller(caller).watch(query=WATCH_IMAGES, **variables) as items:
        kinds = [(await anext(items))["__typename"] for _ in range(seen + 1)]

    assert kinds == ["ImageState"] * seen + ["WatchSynced"]


async def test_a_cursor_of_an_offers_watch_does_not_start_a_watch_of_images(shared_gateway: Gateway) -> None:
    from tests.harness.gateway import WatchRefused

    owner = shared_gateway.tenant(fresh_id())
    async with owner.watch() as items:
        cursor = (await anext(items))["cursor"]

    with pytest.raises(WatchRefused, match="CURSOR_INVALID"):
        async with owner.watch(query=WATCH_IMAGES, after=cursor) as items:
            await anext(items)
