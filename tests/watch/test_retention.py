"""Retention of the log, and watches that resume from before it."""

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
async def short_retention(run_gateway: Run) -> AsyncGenerator[Gateway]:
    """A gateway with the shortest retention, which the test triggers."""
    async with run_gateway(
        bookmark_seconds=0.15, event_retention=timedelta(days=9_000), event_retention_count=0, feed_ring_size=1
    ) as gateway:
        yield gateway


async def test_a_watch_resumes_from_exactly_the_floor_and_not_from_one_below(short_retention: Gateway) -> None:
    scenario = await make_scenario(short_retention, "pending")
    start = (await first_items(scenario.owner, 1))[0]["cursor"]
    await to_and_fro(scenario, 2)
    cursors = [item["cursor"] for item in await first_items(scenario.owner, 4, after=start)]
    await _keep_only(short_retention, 2)

    at_the_floor = await first_items(scenario.owner, 2, after=cursors[1], onGap="FAIL")
    below = await first_items(scenario.owner, 1, after=cursors[0])

    assert [item["cursor"] for item in at_the_floor] == cursors[2:]
    assert (below[0]["__typename"], below[0]["reason"]) == ("WatchReset", "EXPIRED")


async def test_a_running_watch_that_the_floor_overtakes_gets_a_reset(short_retention: Gateway) -> None:
    scenario = await make_scenario(short_retention, "pending")
    start = (await first_items(scenario.owner, 1))[0]["cursor"]
    await to_and_fro(scenario, 3)

    async with scenario.owner.watch(after=start) as items:
        await anext(items)
        short_retention.services.feed._ring.restart(10**6)
        await _keep_only(short_retention, 0)
        seen = [item["__typename"] async for item in _until_synced(items)]

    # First the items that the watch had already read, then the reset.
    assert "WatchReset" in seen or seen.count("MemberStatusChanged") == 5


async def _until_synced(items: Any) -> AsyncGenerator[Any]:
    async for item in items:
        yield item
        if item["__typename"] in ("WatchSynced", "WatchBookmark"):
            return


async def _keep_only(gateway: Gateway, keep: int) -> None:
    """Let retention drop everything but the newest events."""
    async with gateway.services.store.transaction() as tx:
        while await log.compact(tx, tx.now + timedelta(days=1), keep):
            pass


async def test_retention_keeps_recent_and_newest_events_and_moves_the_floor(short_retention: Gateway) -> None:
    await make_scenario(short_retention, "accepted")
    store, feed = short_retention.services.store, short_retention.services.feed
    before = await feed.head()
    async with store.transaction() as tx:
        assert await log.compact(tx, tx.now - timedelta(days=1), 0) == 0
        assert await log.compact(tx, tx.now + timedelta(days=1), 2) == before.seq - 2
        assert await log.compact(tx, tx.now + timedelta(days=1), 2) == 0
    head, kept = await _page(short_retention)

    assert (head.seq, head.floor) == (before.seq, before.seq - 2)
    assert [change.seq for change in kept] == [before.seq - 1, before.seq]


async def _page(gateway: Gateway) -> log.LogPage:
    return await read_once(gateway.services.store, log.read_after, 0, 100)


async def test_retention_runs_in_the_background(run_gateway: Run) -> None:
    async with run_gateway(event_retention=timedelta(seconds=0.5), event_retention_count=1) as gateway:
        await make_scenario(gateway, "accepted")
        async with asyncio.timeout(20):
            while (head := await gateway.services.feed.head()).floor < head.seq - 1:
                await asyncio.sleep(0.05)  # background jobs send no notification


async def test_a_page_after_a_dropped_cursor_is_refused_with_the_oldest_cursor(short_retention: Gateway) -> None:
    scenario = await make_scenario(short_retention, "pending")
    cursor = (await scenario.owner.get(OFFER_EVENTS, first=1))["offerEvents"]["pageInfo"]["endCursor"]
    await scenario.consumer.accept(scenario.image)
    await _keep_only(short_retention, 1)

    answer = await scenario.owner.execute(OFFER_EVENTS, after=cursor)

    assert answer.code == "CURSOR_EXPIRED"
    oldest = answer.errors[0]["extensions"]["oldestCursor"]
    assert [
        node["status"] for node in (await scenario.owner.get(OFFER_EVENTS, after=oldest))["offerEvents"]["nodes"]
    ] == ["ACCEPTED"]
