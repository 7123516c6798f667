"""The watch delivers every change once and in order, can be resumed, and shows each viewer only its own rows."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, settings_for, start_gateway
from tests.harness.scenario import make_scenario
from tests.harness.watch_items import current_cursor, expect_items, expect_refusal, items_until_bookmark, without_member


@pytest.fixture(scope="module")
async def live_gateway(databases: Databases) -> AsyncGenerator[Gateway]:
    """A gateway for many watches, with frequent bookmarks, so that a test knows when all changes have arrived."""
    async with start_gateway(settings_for(databases.fresh(), bookmark_seconds=0.15)) as gateway:
        yield gateway


async def take(items: Any, number: int, kind: str = "MemberStatusChanged") -> list[Any]:
    """The next items of one kind. Fails after many items of other kinds."""
    taken: list[Any] = []
    for _ in range(number + 50):
        if len(taken) == number:
            break
        item = await anext(items)
        taken += [item] if item["__typename"] == kind else []
    assert len(taken) == number
    return taken


async def test_a_watch_without_a_cursor_starts_with_a_bookmark(live_gateway: Gateway) -> None:
    scenario = await make_scenario(live_gateway, "pending")

    async with scenario.consumer.watch() as items:
        first = await anext(items)
        await scenario.consumer.accept(scenario.image)
        [second] = await take(items, 1)

    assert (first["__typename"], second["status"]) == ("WatchBookmark", "ACCEPTED")
    async with scenario.consumer.watch(after=first["cursor"]) as items:
        assert await take(items, 1) == [second]


async def test_a_watch_resumes_after_any_of_its_cursors_without_loss_or_repetition(live_gateway: Gateway) -> None:
    scenario = await make_scenario(live_gateway, "pending")
    async with scenario.consumer.watch() as items:
        await anext(items)
        for _ in range(3):
            await scenario.consumer.accept(scenario.image)
            await scenario.consumer.reject(scenario.image)
        whole = [without_member(item) for item in await take(items, 6)]

    for index, item in enumerate(whole):
        await expect_items(scenario.consumer, item["cursor"], whole[index + 1 :])


async def test_a_watch_resumes_from_before_the_ring_of_the_feed(run_gateway: Any) -> None:
    async with run_gateway(feed_ring_size=2) as gateway:
        scenario = await make_scenario(gateway, "pending")
        async with scenario.consumer.watch() as items:
            start = (await anext(items))["cursor"]
        for _ in range(5):
            await scenario.consumer.accept(scenario.image)
            await scenario.consumer.reject(scenario.image)

        async with scenario.consumer.watch(after=start) as items:
            assert [item["status"] for item in await take(items, 10)] == ["ACCEPTED", "REJECTED"] * 5


async def test_a_lost_hint_only_causes_a_delay(run_gateway: Any) -> None:
    async with run_gateway(poll_seconds=0.05) as gateway:
        scenario = await make_scenario(gateway, "pending")
        gateway.services.store._on_commit = lambda: None
        async with scenario.consumer.watch() as items:
            await anext(items)
            await scenario.consumer.accept(scenario.image)

            assert [item["status"] for item in await take(items, 1)] == ["ACCEPTED"]


async def test_a_silent_watch_sends_bookmarks_that_advance_with_the_log(run_gateway: Any) -> None:
    async with run_gateway(bookmark_seconds=0.05) as gateway:
        scenario = await make_scenario(gateway, "pending")
        async with scenario.stranger.watch() as items:
            first = await anext(items)
            await scenario.consumer.accept(scenario.image)
            bookmarks = await take(items, 3, "WatchBookmark")

    assert first["cursor"] not in {item["cursor"] for item in bookmarks[1:]}


async def test_a_viewer_receives_only_changes_of_rows_to_which_it_is_a_party(live_gateway: Gateway) -> None:
    scenario = await make_scenario(live_gateway, "none")
    callers = [scenario.owner, scenario.consumer, scenario.other, scenario.stranger, scenario.operator]
    starts = [await current_cursor(caller) for caller in callers]

    await scenario.owner.offer(scenario.image, scenario.consumer.id)
    await scenario.consumer.accept(scenario.image)
    await scenario.other.reject(scenario.image)
    await scenario.owner.revoke(scenario.image, scenario.consumer.id)

    consumers = [("OFFERED", "PENDING"), ("ANSWERED", "ACCEPTED"), ("REVOKED", None)]
    others = [("ANSWERED", "REJECTED")]
    everything = consumers[:2] + others + consumers[2:]
    expected = [everything, consumers, others, [], everything]
    for caller, start, steps in zip(callers, starts, expected, strict=True):
        received = await items_until_bookmark(caller, start)
        assert [(item["kind"], item["status"]) for item in received] == steps


async def test_nothing_more_of_the_image_is_received_after_a_revocation(live_gateway: Gateway) -> None:
    scenario = await make_scenario(live_gateway, "accepted")
    start = await current_cursor(scenario.consumer)

    await scenario.owner.revoke(scenario.image, scenario.consumer.id)
    await scenario.other.reject(scenario.image)
    await scenario.owner.delete(scenario.image)

    [last] = await items_until_bookmark(scenario.consumer, start)
    assert (last["kind"], last["previousStatus"], last["status"]) == ("REVOKED", "ACCEPTED", None)
    assert (last["member"], last["actor"]) == (None, {"id": scenario.owner.id})


async def test_an_operator_who_revokes_is_not_named(live_gateway: Gateway) -> None:
    scenario = await make_scenario(live_gateway, "accepted")
    start = await current_cursor(scenario.consumer)

    await scenario.operator.revoke(scenario.image, scenario.consumer.id)

    [last] = await items_until_bookmark(scenario.consumer, start)
    assert last["actor"] is None


async def test_the_member_of_an_item_is_read_in_its_current_state(live_gateway: Gateway) -> None:
    scenario = await make_scenario(live_gateway, "pending")
    start = await current_cursor(scenario.owner)
    await scenario.consumer.accept(scenario.image)
    await scenario.consumer.reject(scenario.image)

    accepted, rejected = await items_until_bookmark(scenario.owner, start)

    assert (accepted["status"], accepted["member"]["status"]) == ("ACCEPTED", "REJECTED")
    assert rejected["member"]["status"] == "REJECTED"


@pytest.mark.parametrize(
    ("filter", "steps"),
    [
        ({"role": "PRODUCER"}, []),
        ({"role": "CONSUMER"}, ["ACCEPTED", "REJECTED", None]),
        ({"status": ["ACCEPTED"]}, ["ACCEPTED", "REJECTED"]),
        ({"status": []}, []),
        ({"imageId": "image"}, ["ACCEPTED", "REJECTED", None]),
        ({"imageId": "00000000-0000-0000-0000-000000000000"}, []),
        ({"imageId": "nonsense"}, []),
        ({"imageId": "image", "role": "CONSUMER", "status": ["PENDING"]}, ["ACCEPTED"]),
    ],
)
async def test_a_filter_narrows_the_watch(live_gateway: Gateway, filter: dict[str, Any], steps: list[Any]) -> None:
    scenario = await make_scenario(live_gateway, "pending")
    watch_filter = {**filter, **({"imageId": scenario.image} if filter.get("imageId") == "image" else {})}
    start = await current_cursor(scenario.consumer, filter=watch_filter)

    await scenario.consumer.accept(scenario.image)
    await scenario.consumer.reject(scenario.image)
    await scenario.owner.revoke(scenario.image, scenario.consumer.id)

    received = await items_until_bookmark(scenario.consumer, start, filter=watch_filter)
    assert [item["status"] for item in received] == steps


async def test_an_unknown_and_a_foreign_image_give_the_same_silent_stream(live_gateway: Gateway) -> None:
    scenario = await make_scenario(live_gateway, "accepted")
    unknown = "00000000-0000-4000-8000-000000000000"

    for image in (scenario.image, unknown):
        filter = {"imageId": image}
        start = await current_cursor(scenario.stranger, filter=filter)
        await scenario.consumer.reject(scenario.image)
        assert await items_until_bookmark(scenario.stranger, start, filter=filter) == []
        await scenario.consumer.accept(scenario.image)


async def test_a_watch_requires_a_token(live_gateway: Gateway) -> None:
    await expect_refusal(live_gateway.anonymous, "UNAUTHENTICATED", "bearer token")
