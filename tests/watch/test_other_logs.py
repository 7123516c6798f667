"""A log that is replaced under a watch: a backup is restored, a standby takes over, or everything is dropped."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.events.upkeep import Upkeep
from app.model import ChangeKind, ImageStatus, ImageVisibility, LogEntry, MemberStatus
from app.store import log
from tests.harness.checker import mark_in
from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, settings_for, start_gateway
from tests.harness.scenario import Scenario, make_scenario
from tests.harness.waiting import wait_until

Run = Callable[..., AbstractAsyncContextManager[Gateway]]


async def restore(gateway: Gateway, keep: int) -> None:
    """Do what restoring an older backup and rotating the epoch does, under a running tailer."""
    seal = gateway.services.feed.seal
    async with gateway.services.store.transaction() as tx:
        await tx.conn.execute(text("DELETE FROM event WHERE seq > :keep"), {"keep": keep})
        await tx.conn.execute(text("UPDATE event_head SET seq = :keep, epoch = 'abababababababab'"), {"keep": keep})
    await wait_until(lambda: gateway.services.feed.seal is not seal)


async def head_of(gateway: Gateway) -> int:
    return (await gateway.services.feed.head()).seq


async def back_and_forth(scenario: Scenario, times: int) -> None:
    for _ in range(times):
        await scenario.consumer.accept(scenario.image)
        await scenario.consumer.reject(scenario.image)


def kinds(items: list[Any]) -> list[Any]:
    return [item.get("reason") or item["__typename"] for item in items]


async def test_a_slow_consumer_of_a_snapshot_gets_a_reset_when_the_log_is_replaced(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    keep = await head_of(gateway)
    await back_and_forth(scenario, 2)

    async with scenario.consumer.watch(initial="SNAPSHOT") as items:
        state = await anext(items)
        await restore(gateway, keep)
        rest = [await anext(items) for _ in range(4)]

    assert kinds([state, *rest]) == ["MemberState", "WatchSynced", "EPOCH_CHANGED", "MemberState", "WatchSynced"]


async def test_a_slow_consumer_of_the_first_bookmark_gets_a_reset_too(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    keep = await head_of(gateway)
    await back_and_forth(scenario, 2)

    async with scenario.consumer.watch() as items:
        first = await anext(items)
        await restore(gateway, keep)
        await back_and_forth(scenario, 3)
        then = await anext(items)

    assert kinds([first, then]) == ["WatchBookmark", "EPOCH_CHANGED"]


async def test_a_cursor_of_the_old_log_is_never_valid_in_the_new_one(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    keep = await head_of(gateway)
    async with scenario.consumer.watch() as items:
        start = (await anext(items))["cursor"]
    await back_and_forth(scenario, 4)

    async with scenario.consumer.watch(after=start) as items:
        await anext(items)
        await restore(gateway, keep)
        late = await anext(items)
    await back_and_forth(scenario, 6)
    async with scenario.consumer.watch(after=late["cursor"]) as items:
        resumed = await anext(items)

    assert kinds([resumed]) == ["EPOCH_CHANGED"]


async def test_a_standby_that_diverged_from_the_log_is_noticed(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    await back_and_forth(scenario, 1)
    head = await head_of(gateway)
    async with scenario.consumer.watch() as items:
        await anext(items)
        async with gateway.services.store.transaction() as tx:
            await tx.conn.execute(text("DELETE FROM event WHERE seq > :kept"), {"kept": head - 2})
            await tx.conn.execute(text("UPDATE event_head SET seq = :kept"), {"kept": head - 2})
            await log.append(tx, [_answered(scenario)] * 3)
        received = await anext(items)

    assert kinds([received]) == ["EPOCH_CHANGED"]


CHANGES = ["MemberStatusChanged"] * 2


@pytest.mark.parametrize(
    ("begun", "manner"),
    [
        (["MemberState", "WatchSynced"], {"initial": "SNAPSHOT"}),
        (["WatchBookmark"], {"initial": "CHANGES"}),
        (["EPOCH_CHANGED", "MemberState", "WatchSynced"], {"after": "a cursor of the old log"}),
    ],
)
async def test_a_watch_that_starts_before_its_worker_notices_a_new_log_follows_the_new_log(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, begun: list[str], manner: dict[str, str]
) -> None:
    scenario = await make_scenario(gateway, "pending")
    feed = gateway.services.feed
    if "after" in manner:
        assert scenario.consumer.caller is not None
        manner = {"after": feed.seal.close_between(await head_of(gateway), scenario.consumer.caller)}

    async with scenario.consumer.watch(**manner) as items:
        with monkeypatch.context() as patched:
            patched.setattr(feed, "_read_new", asleep)
            await asyncio.sleep(0.3)  # a read in progress has ended
            async with gateway.services.store.transaction() as tx:
                await log.rotate_epoch(tx)
            first = asyncio.ensure_future(anext(items))
            await asyncio.wait({first}, timeout=0.3)
        received = [await first, *[await anext(items) for _ in begun[1:]]]
        await back_and_forth(scenario, 1)
        received += [await anext(items) for _ in CHANGES]

    assert kinds(received) == [*begun, *CHANGES]
    assert {mark_in(feed.seal, item["cursor"]).epoch for item in received} == {feed.seal.epoch}


async def asleep() -> bool:
    await asyncio.sleep(0.05)  # in place of a read, without occupying the event loop
    return False


def _answered(scenario: Scenario) -> LogEntry:
    return LogEntry(
        image_id=scenario.image,
        owner_id=scenario.owner.id,
        tenant_id=scenario.consumer.id,
        actor_id=scenario.consumer.id,
        kind=ChangeKind.ANSWERED,
        member_id="m",
        previous_status=MemberStatus.PENDING,
        status=MemberStatus.REJECTED,
        image_status=ImageStatus.ACTIVE,
        visibility=ImageVisibility.SHARED,
    )


@pytest.fixture
async def two(databases: Databases) -> AsyncGenerator[tuple[Gateway, Gateway]]:
    """Two gateways on one store with the shortest retention."""
    changes: dict[str, Any] = {"event_retention": timedelta(days=9_000), "event_retention_count": 0}
    settings = settings_for(databases.fresh(), bookmark_seconds=0.3, **changes)
    async with start_gateway(settings) as one, start_gateway(settings) as other:
        yield one, other


async def test_a_worker_that_slept_through_retention_sends_a_reset_without_a_new_event(
    two: tuple[Gateway, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    awake, sleepy = two
    scenario = await make_scenario(awake, "pending")
    feed = sleepy.services.feed
    await wait_until(lambda: feed._ring.top > 0)

    async with sleepy.tenant(scenario.consumer.id).watch() as items:
        await anext(items)
        with monkeypatch.context() as patched:
            patched.setattr(feed, "_read_new", asleep)
            await asyncio.sleep(0.3)  # a read in progress has ended
            await back_and_forth(scenario, 1)
            await Upkeep(awake.services.store, timedelta(0), 0).once()
        received = [await anext(items) for _ in range(3)]

    # Its first bookmark may date from before.
    assert "EXPIRED" in kinds(received)
