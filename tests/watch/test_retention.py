"""What leaves the log, and what a watch says that wanted to go on from there."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest

from app.store import log
from app.store.snapshot import read_once
from tests.harness.gateway import Gateway, Tenant
from tests.harness.operations import OFFER_EVENTS
from tests.harness.scenario import Scenario, make_scenario

pytestmark = pytest.mark.slow

Run = Callable[..., AbstractAsyncContextManager[Gateway]]


async def first_items(caller: Tenant, number: int, **variables: Any) -> list[Any]:
    async with caller.watch(**variables) as items:
        return [await anext(items) for _ in range(number)]


async def to_and_fro(scenario: Scenario, times: int) -> None:
    for _ in range(times):
        await scenario.consumer.accept(scenario.image)
        await scenario.consumer.reject(scenario.image)


@pytest.fixture
async def brief(run_gateway: Run) -> AsyncGenerator[Gateway]:
    """A gateway that forgets at once what it may forget, when it is told to."""
    async with run_gateway(
        bookmark_seconds=0.15, event_retention=timedelta(days=9_000), event_retention_count=0, feed_ring_size=1
    ) as gateway:
        yield gateway


async def test_a_watch_goes_on_from_exactly_the_floor_and_not_from_one_below(brief: Gateway) -> None:
    scenario = await make_scenario(brief, "pending")
    start = (await first_items(scenario.owner, 1))[0]["cursor"]
    await to_and_fro(scenario, 2)
    heard = [item["cursor"] for item in await first_items(scenario.owner, 4, after=start)]
    await _keep_only(brief, 2)

    at_the_floor = await first_items(scenario.owner, 2, after=heard[1], onGap="FAIL")
    below = await first_items(scenario.owner, 1, after=heard[0])

    assert [item["cursor"] for item in at_the_floor] == heard[2:]
    assert (below[0]["__typename"], below[0]["reason"]) == ("WatchReset", "EXPIRED")


async def test_a_watch_that_the_floor_overtakes_says_so_in_mid_stream(brief: Gateway) -> None:
    scenario = await make_scenario(brief, "pending")
    start = (await first_items(scenario.owner, 1))[0]["cursor"]
    await to_and_fro(scenario, 3)

    async with scenario.owner.watch(after=start) as items:
        await anext(items)
        brief.services.feed._ring.restart(10**6)
        await _keep_only(brief, 0)
        seen = [item["__typename"] async for item in _until_synced(items)]

    # What the watch had read already is told, and then the gap.
    assert "WatchReset" in seen or seen.count("MemberStatusChanged") == 5


async def _until_synced(items: Any) -> AsyncGenerator[Any]:
    async for item in items:
        yield item
        if item["__typename"] in ("WatchSynced", "WatchBookmark"):
            return


async def _keep_only(gateway: Gateway, keep: int) -> None:
    """Let retention pass everything but the newest events."""
    async with gateway.services.store.transaction() as tx:
        while await log.compact(tx, tx.now + timedelta(days=1), keep):
            pass


async def test_retention_keeps_the_young_and_the_newest_and_moves_the_floor_with_the_rows(brief: Gateway) -> None:
    await make_scenario(brief, "accepted")
    store, feed = brief.services.store, brief.services.feed
    before = await feed.head()
    async with store.transaction() as tx:
        assert await log.compact(tx, tx.now - timedelta(days=1), 0) == 0
        assert await log.compact(tx, tx.now + timedelta(days=1), 2) == before.seq - 2
        assert await log.compact(tx, tx.now + timedelta(days=1), 2) == 0
    head, kept = await _page(brief)

    assert (head.seq, head.floor) == (before.seq, before.seq - 2)
    assert [change.seq for change in kept] == [before.seq - 1, before.seq]


async def _page(gateway: Gateway) -> log.LogPage:
    return await read_once(gateway.services.store, log.read_after, 0, 100)


async def test_upkeep_does_it_in_the_background(run_gateway: Run) -> None:
    async with run_gateway(event_retention=timedelta(seconds=0.5), event_retention_count=1) as gateway:
        await make_scenario(gateway, "accepted")
        async with asyncio.timeout(20):
            while (head := await gateway.services.feed.head()).floor < head.seq - 1:
                await asyncio.sleep(0.05)  # upkeep rings no bell


async def test_pulling_from_a_cursor_that_is_no_longer_kept_is_told_with_the_oldest_one(brief: Gateway) -> None:
    scenario = await make_scenario(brief, "pending")
    cursor = (await scenario.owner.get(OFFER_EVENTS, first=1))["offerEvents"]["pageInfo"]["endCursor"]
    await scenario.consumer.accept(scenario.image)
    await _keep_only(brief, 1)

    answer = await scenario.owner.execute(OFFER_EVENTS, after=cursor)

    assert answer.code == "CURSOR_EXPIRED"
    oldest = answer.errors[0]["extensions"]["oldestCursor"]
    assert [
        node["status"] for node in (await scenario.owner.get(OFFER_EVENTS, after=oldest))["offerEvents"]["nodes"]
    ] == ["ACCEPTED"]
