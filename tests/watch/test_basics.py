"""The watch: complete, in order, once, resumable; and each viewer hears of its own rows only."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, settings_for, start_gateway
from tests.harness.watch_items import current_cursor, expect_items, expect_refusal, items_until_bookmark, without_member
from tests.harness.world import make_world


@pytest.fixture(scope="module")
async def live_gateway(databases: Databases) -> AsyncGenerator[Gateway]:
    """One for many watches, with bookmarks after a short silence, so that a test knows when all is told."""
    async with start_gateway(settings_for(databases.fresh(), bookmark_seconds=0.15)) as gateway:
        yield gateway


async def take(items: Any, number: int, kind: str = "MemberStatusChanged") -> list[Any]:
    """The next items of one kind, if they come at all: a long row of others says that they do not."""
    taken: list[Any] = []
    for _ in range(number + 50):
        if len(taken) == number:
            break
        item = await anext(items)
        taken += [item] if item["__typename"] == kind else []
    assert len(taken) == number
    return taken


async def test_a_watch_without_a_cursor_says_at_once_from_where_it_is_live(live_gateway: Gateway) -> None:
    world = await make_world(live_gateway, "pending")

    async with world.consumer.watch() as items:
        first = await anext(items)
        await world.consumer.accept(world.image)
        [second] = await take(items, 1)

    assert (first["__typename"], second["status"]) == ("WatchBookmark", "ACCEPTED")
    async with world.consumer.watch(after=first["cursor"]) as items:
        assert await take(items, 1) == [second]


async def test_a_watch_resumes_behind_any_of_its_cursors_without_loss_or_repetition(live_gateway: Gateway) -> None:
    world = await make_world(live_gateway, "pending")
    async with world.consumer.watch() as items:
        await anext(items)
        for _ in range(3):
            await world.consumer.accept(world.image)
            await world.consumer.reject(world.image)
        whole = [without_member(item) for item in await take(items, 6)]

    for index, item in enumerate(whole):
        await expect_items(world.consumer, item["cursor"], whole[index + 1 :])


async def test_a_watch_goes_back_further_than_the_memory_of_the_feed(run_gateway: Any) -> None:
    async with run_gateway(feed_ring_size=2) as gateway:
        world = await make_world(gateway, "pending")
        async with world.consumer.watch() as items:
            start = (await anext(items))["cursor"]
        for _ in range(5):
            await world.consumer.accept(world.image)
            await world.consumer.reject(world.image)

        async with world.consumer.watch(after=start) as items:
            assert [item["status"] for item in await take(items, 10)] == ["ACCEPTED", "REJECTED"] * 5


async def test_a_lost_hint_only_delays(run_gateway: Any) -> None:
    async with run_gateway(poll_seconds=0.05) as gateway:
        world = await make_world(gateway, "pending")
        gateway.services.store._on_commit = lambda: None
        async with world.consumer.watch() as items:
            await anext(items)
            await world.consumer.accept(world.image)

            assert [item["status"] for item in await take(items, 1)] == ["ACCEPTED"]


async def test_silence_is_broken_by_bookmarks_that_move_with_the_log(run_gateway: Any) -> None:
    async with run_gateway(bookmark_seconds=0.05) as gateway:
        world = await make_world(gateway, "pending")
        async with world.stranger.watch() as items:
            first = await anext(items)
            await world.consumer.accept(world.image)
            bookmarks = await take(items, 3, "WatchBookmark")

    assert first["cursor"] not in {item["cursor"] for item in bookmarks[1:]}


async def test_everyone_hears_of_the_rows_that_it_is_a_party_to_and_of_no_other(live_gateway: Gateway) -> None:
    world = await make_world(live_gateway, "none")
    callers = [world.owner, world.consumer, world.other, world.stranger, world.operator]
    starts = [await current_cursor(caller) for caller in callers]

    await world.owner.offer(world.image, world.consumer.id)
    await world.consumer.accept(world.image)
    await world.other.reject(world.image)
    await world.owner.revoke(world.image, world.consumer.id)

    consumers = [("OFFERED", "PENDING"), ("ANSWERED", "ACCEPTED"), ("REVOKED", None)]
    others = [("ANSWERED", "REJECTED")]
    everything = consumers[:2] + others + consumers[2:]
    expected = [everything, consumers, others, [], everything]
    for caller, start, steps in zip(callers, starts, expected, strict=True):
        heard = await items_until_bookmark(caller, start)
        assert [(item["kind"], item["status"]) for item in heard] == steps


async def test_after_the_revocation_nothing_more_of_the_image_is_heard(live_gateway: Gateway) -> None:
    world = await make_world(live_gateway, "accepted")
    start = await current_cursor(world.consumer)

    await world.owner.revoke(world.image, world.consumer.id)
    await world.other.reject(world.image)
    await world.owner.delete(world.image)

    [last] = await items_until_bookmark(world.consumer, start)
    assert (last["kind"], last["previousStatus"], last["status"]) == ("REVOKED", "ACCEPTED", None)
    assert (last["member"], last["actor"]) == (None, {"id": world.owner.id})


async def test_an_operator_who_revokes_is_not_named(live_gateway: Gateway) -> None:
    world = await make_world(live_gateway, "accepted")
    start = await current_cursor(world.consumer)

    await world.operator.revoke(world.image, world.consumer.id)

    [last] = await items_until_bookmark(world.consumer, start)
    assert last["actor"] is None


async def test_the_member_of_an_item_is_read_as_of_now(live_gateway: Gateway) -> None:
    world = await make_world(live_gateway, "pending")
    start = await current_cursor(world.owner)
    await world.consumer.accept(world.image)
    await world.consumer.reject(world.image)

    accepted, rejected = await items_until_bookmark(world.owner, start)

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
    world = await make_world(live_gateway, "pending")
    wanted = {**filter, **({"imageId": world.image} if filter.get("imageId") == "image" else {})}
    start = await current_cursor(world.consumer, filter=wanted)

    await world.consumer.accept(world.image)
    await world.consumer.reject(world.image)
    await world.owner.revoke(world.image, world.consumer.id)

    heard = await items_until_bookmark(world.consumer, start, filter=wanted)
    assert [item["status"] for item in heard] == steps


async def test_an_image_that_is_unknown_or_foreign_gives_the_same_silent_stream(live_gateway: Gateway) -> None:
    world = await make_world(live_gateway, "accepted")
    unknown = "00000000-0000-4000-8000-000000000000"

    for image in (world.image, unknown):
        filter = {"imageId": image}
        start = await current_cursor(world.stranger, filter=filter)
        await world.consumer.reject(world.image)
        assert await items_until_bookmark(world.stranger, start, filter=filter) == []
        await world.consumer.accept(world.image)


async def test_nobody_watches_without_a_token(live_gateway: Gateway) -> None:
    await expect_refusal(live_gateway.anonymous, "UNAUTHENTICATED", "bearer token")
