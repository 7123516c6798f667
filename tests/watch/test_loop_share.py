"""What the watches of one tenant take of the loop: their share, and the rest in its turn, with nothing lost."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import pytest

from app.api.operation import loop_share as module
from app.api.operation.context import Context
from app.api.operation.loop_share import Leaving, Turns
from app.api.watch.operation import WatchOperation
from tests.harness.gateway import Gateway, Tenant
from tests.harness.patience import until
from tests.harness.world import make_world

NESTED = """subscription($after: Cursor) { watchOffers(after: $after) {
  cursor __typename ... on MemberStatusChanged { %s } } }"""
DEAR = NESTED.replace("%s", "status tenant { id } member { status image { name } }")


class Clocks:
    """Time, and what the loop has worked, both moved by hand."""

    def __init__(self) -> None:
        self.now = self.worked = 0.0

    def turns(self, share: float = 0.25) -> Turns:
        return Turns(share, lambda: False, lambda: self.now, lambda: self.worked)

    def work(self, seconds: float) -> Callable[[], Awaitable[bytes]]:
        async def worked() -> bytes:
            self.worked += seconds
            return b"x" * 1_000_000

        return worked


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_who_is_beyond_its_share_waits_until_it_is_earned_and_others_go_on() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    await turns.take("1", clocks.work(1.25), len)

    late = asyncio.create_task(turns.take("1", clocks.work(0), len))
    await turns.take("2", clocks.work(1.25), len)
    clocks.now = 3.9  # a second of work is earned in four, at a quarter
    await asyncio.sleep(2 * module.LONGEST_REST)
    assert not late.done()
    clocks.now = 4.1

    assert await late


async def test_within_the_share_nobody_waits_and_what_was_not_used_is_not_kept() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    for second in range(100):
        clocks.now = float(second)
        await turns.take("1", clocks.work(0.2), len)
    clocks.now = 1_000.0
    await turns.take("1", clocks.work(0.26), len)

    late = asyncio.create_task(turns.take("1", clocks.work(0), len))
    await settled()
    assert not late.done()
    late.cancel()


async def test_turns_side_by_side_are_few_and_counted_once() -> None:
    clocks, running, most = Clocks(), 0, 0
    turns, going = clocks.turns(), asyncio.Event()

    async def work() -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await going.wait()
        clocks.worked += 0.3
        running -= 1
        return b"x" * 1_000_000

    tasks = [asyncio.create_task(turns.take("1", work, len)) for _ in range(10)]
    await settled()
    going.set()
    await asyncio.gather(*tasks[:2])

    assert most == module.AT_ONCE
    assert turns._accounts["1"].level == pytest.approx(0.25 - 0.6)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_turn_that_waits_for_the_store_does_not_pay_for_the_work_of_others() -> None:
    clocks = Clocks()
    turns = clocks.turns()

    async def small() -> bytes:
        clocks.worked += 60
        return b"{}"

    await turns.take("1", small, len)

    assert turns._accounts["1"].level > 0.2


async def test_waits_that_are_given_up_leave_nothing() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    await turns.take("1", clocks.work(0.3), len)
    tasks = [asyncio.create_task(turns.take("1", clocks.work(0), len)) for _ in range(5)]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    clocks.now += 10

    assert await turns.take("1", clocks.work(0), len)
    await until(lambda: len(turns) == 0)


async def test_nobody_waits_for_a_process_that_ends() -> None:
    clocks, ending = Clocks(), False
    turns = Turns(0.25, lambda: ending, lambda: clocks.now, lambda: clocks.worked)
    await turns.take("1", clocks.work(100), len)
    tasks = [asyncio.create_task(turns.take("1", clocks.work(0), len)) for _ in range(5)]
    await settled()
    ending = True

    assert all(isinstance(one, Leaving) for one in await asyncio.gather(*tasks, return_exceptions=True))


@asynccontextmanager
async def watched(gateway: Gateway, tenant: Tenant, query: str = DEAR, **variables: Any) -> AsyncGenerator[Any]:
    context = Context(gateway.services, tenant.caller, "test")
    try:
        async with aclosing(gateway.schema.streams.run(query, variables, None, context)) as payloads:
            yield payloads
    finally:
        await context.close()


def _item(payload: bytes) -> Any:
    return json.loads(payload)["data"]["watchOffers"]


def _overdrawn(gateway: Gateway, tenant: Tenant) -> Callable[[], None]:
    """Have a tenant take an hour of the loop; what is given back lets that hour pass."""
    turns = gateway.services.turns
    turns.spend(tenant.id, 3_600)

    def earn() -> None:
        turns._accounts[tenant.id].level = 0.25

    return earn


async def test_a_tenant_beyond_its_share_gets_each_change_later_once_and_in_order(gateway: Gateway) -> None:
    world = await make_world(gateway, "pending")
    async with AsyncExitStack() as held:
        owners, consumers = [
            await held.enter_async_context(watched(gateway, tenant)) for tenant in (world.owner, world.consumer)
        ]
        await asyncio.gather(anext(owners), anext(consumers))
        earn = _overdrawn(gateway, world.owner)
        for _ in range(5):
            await world.consumer.accept(world.image)
            await world.consumer.reject(world.image)
        waiting = asyncio.create_task(anext(owners))
        others = [_item(await anext(consumers))["cursor"] for _ in range(10)]
        assert not waiting.done()
        earn()
        told = [_item(await waiting), *[_item(await anext(owners)) for _ in range(9)]]

    assert len({one["cursor"] for one in told}) == len(set(others)) == 10
    assert [one["status"] for one in told] == ["ACCEPTED", "REJECTED"] * 5


async def test_what_is_at_hand_waits_for_no_turn(gateway: Gateway) -> None:
    world = await make_world(gateway, "pending")
    async with watched(gateway, world.owner, NESTED.replace("%s", "kind tenant { id }")) as payloads:
        await anext(payloads)
        _overdrawn(gateway, world.owner)
        await world.consumer.accept(world.image)
        assert _item(await anext(payloads))["tenant"]["id"] == world.consumer.id


async def test_who_unsubscribes_while_it_waits_leaves_nothing_and_takes_nothing_from_others(gateway: Gateway) -> None:
    world = await make_world(gateway, "pending")
    async with watched(gateway, world.owner) as first, watched(gateway, world.owner) as second:
        await asyncio.gather(anext(first), anext(second))
        earn = _overdrawn(gateway, world.owner)
        await world.consumer.accept(world.image)
        waiting = [asyncio.create_task(anext(payloads)) for payloads in (first, second)]
        await until(lambda: gateway.schema.streams.payloads.waiting == 1)
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        earn()
        assert _item(await waiting[1])["member"]["status"] == "ACCEPTED"

        _overdrawn(gateway, world.owner)
        await world.consumer.reject(world.image)
        alone = asyncio.create_task(anext(second))
        await until(lambda: gateway.schema.streams.payloads.waiting == 1)
        alone.cancel()
        await until(lambda: gateway.schema.streams.payloads.waiting == 0)


async def test_many_documents_of_one_tenant_are_carried_out_few_at_a_time(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(gateway, "pending")
    running, most, execute = 0, 0, WatchOperation.execute_apart

    async def counted(*args: Any) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await execute(*args)
        finally:
            running -= 1

    monkeypatch.setattr(WatchOperation, "execute_apart", counted)
    async with AsyncExitStack() as held:
        queries = [DEAR.replace("cursor __typename", f"cursor alias{number}: __typename") for number in range(20)]
        streams = [await held.enter_async_context(watched(gateway, world.owner, query)) for query in queries]
        await asyncio.gather(*map(anext, streams))
        await world.consumer.accept(world.image)
        told = [_item(payload) for payload in await asyncio.gather(*map(anext, streams))]

    assert most <= module.AT_ONCE
    assert len({one["cursor"] for one in told}) == 1


async def test_a_watch_that_waits_for_its_turn_ends_with_the_process(gateway: Gateway) -> None:
    world = await make_world(gateway, "pending")
    async with watched(gateway, world.owner) as payloads:
        await anext(payloads)
        _overdrawn(gateway, world.owner)
        await world.consumer.accept(world.image)
        waiting = asyncio.create_task(anext(payloads, None))
        await until(lambda: gateway.schema.streams.payloads.waiting == 1)
        gateway.services.feed.end_watches()

        assert await waiting is None


async def test_a_snapshot_waits_for_its_turn_and_holds_no_view_of_the_store(gateway: Gateway) -> None:
    world = await make_world(gateway, "pending")
    earn = _overdrawn(gateway, world.owner)
    async with watched(
        gateway, world.owner, DEAR.replace("(after: $after)", "(after: $after, initial: SNAPSHOT)")
    ) as told:
        waiting = asyncio.create_task(anext(told))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert gateway.services.store.connections()["reader"][0] == 0
        earn()
        kinds = [_item(await waiting)["__typename"]]
        while kinds[-1] == "MemberState":
            kinds.append(_item(await anext(told))["__typename"])
    assert kinds[-1] == "WatchSynced"
