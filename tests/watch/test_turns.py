"""Watches that wait for their turn receive each change later, once and in order, and hold nothing meanwhile."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import pytest

from app.api.operation import loop_share as module
from app.api.operation.context import Context
from app.api.watch.operation import WatchOperation
from tests.harness.gateway import Gateway, Tenant
from tests.harness.scenario import make_scenario
from tests.harness.waiting import wait_until

NESTED = """subscription($after: Cursor) { watchOffers(after: $after) {
  cursor __typename ... on MemberStatusChanged { %s } } }"""
DEAR = NESTED.replace("%s", "status tenant { id } member { status image { name } }")


@asynccontextmanager
async def watched(gateway: Gateway, tenant: Tenant, query: str = DEAR, **variables: Any) -> AsyncGenerator[Any]:
    context = Context(gateway.services, tenant.caller, "test")
    try:
        async with aclosing(gateway.schema.streams.run(query, variables, None, context)) as payloads:
            yield payloads
    finally:
        await context.close()


def item_of(payload: bytes) -> Any:
    return json.loads(payload)["data"]["watchOffers"]


def _overdrawn(gateway: Gateway, tenant: Tenant) -> Callable[[], None]:
    """Charge a tenant for an hour of the loop, and return a function that lets that hour pass."""
    turns = gateway.services.loop_shares
    turns.charge(tenant.id, 3_600)

    def earn() -> None:
        turns._accounts[tenant.id].balance = 0.25

    return earn


async def test_a_tenant_beyond_its_share_gets_each_change_later_once_and_in_order(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    async with AsyncExitStack() as held:
        owners, consumers = [
            await held.enter_async_context(watched(gateway, tenant)) for tenant in (scenario.owner, scenario.consumer)
        ]
        await asyncio.gather(anext(owners), anext(consumers))
        earn = _overdrawn(gateway, scenario.owner)
        for _ in range(5):
            await scenario.consumer.accept(scenario.image)
            await scenario.consumer.reject(scenario.image)
        waiting = asyncio.create_task(anext(owners))
        others = [item_of(await anext(consumers))["cursor"] for _ in range(10)]
        assert not waiting.done()
        earn()
        received = [item_of(await waiting), *[item_of(await anext(owners)) for _ in range(9)]]

    assert len({one["cursor"] for one in received}) == len(set(others)) == 10
    assert [one["status"] for one in received] == ["ACCEPTED", "REJECTED"] * 5


async def test_loaded_items_wait_for_no_turn(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    async with watched(gateway, scenario.owner, NESTED.replace("%s", "kind tenant { id }")) as payloads:
        await anext(payloads)
        _overdrawn(gateway, scenario.owner)
        await scenario.consumer.accept(scenario.image)
        assert item_of(await anext(payloads))["tenant"]["id"] == scenario.consumer.id


async def test_unsubscribing_while_waiting_leaves_nothing_and_does_not_affect_others(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    async with watched(gateway, scenario.owner) as first, watched(gateway, scenario.owner) as second:
        await asyncio.gather(anext(first), anext(second))
        earn = _overdrawn(gateway, scenario.owner)
        await scenario.consumer.accept(scenario.image)
        waiting = [asyncio.create_task(anext(payloads)) for payloads in (first, second)]
        await wait_until(lambda: gateway.schema.streams.payloads.waiting == 1)
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        earn()
        assert item_of(await waiting[1])["member"]["status"] == "ACCEPTED"

        _overdrawn(gateway, scenario.owner)
        await scenario.consumer.reject(scenario.image)
        alone = asyncio.create_task(anext(second))
        await wait_until(lambda: gateway.schema.streams.payloads.waiting == 1)
        alone.cancel()
        await wait_until(lambda: gateway.schema.streams.payloads.waiting == 0)


async def test_few_documents_of_one_tenant_are_executed_at_a_time(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = await make_scenario(gateway, "pending")
    running, most, execute = 0, 0, WatchOperation.execute_in_own_context

    async def counted(*args: Any) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await execute(*args)
        finally:
            running -= 1

    monkeypatch.setattr(WatchOperation, "execute_in_own_context", counted)
    async with AsyncExitStack() as held:
        queries = [DEAR.replace("cursor __typename", f"cursor alias{number}: __typename") for number in range(20)]
        streams = [await held.enter_async_context(watched(gateway, scenario.owner, query)) for query in queries]
        await asyncio.gather(*map(anext, streams))
        await scenario.consumer.accept(scenario.image)
        received = [item_of(payload) for payload in await asyncio.gather(*map(anext, streams))]

    assert most <= module.AT_ONCE
    assert len({one["cursor"] for one in received}) == 1


async def test_a_watch_that_waits_for_its_turn_ends_with_the_process(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    async with watched(gateway, scenario.owner) as payloads:
        await anext(payloads)
        _overdrawn(gateway, scenario.owner)
        await scenario.consumer.accept(scenario.image)
        waiting = asyncio.create_task(anext(payloads, None))
        await wait_until(lambda: gateway.schema.streams.payloads.waiting == 1)
        gateway.services.feed.end_watches()

        assert await waiting is None


async def test_a_snapshot_waits_for_its_turn_without_holding_a_connection(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    earn = _overdrawn(gateway, scenario.owner)
    async with watched(
        gateway, scenario.owner, DEAR.replace("(after: $after)", "(after: $after, initial: SNAPSHOT)")
    ) as received:
        waiting = asyncio.create_task(anext(received))
        # The absence of an item can only be observed by waiting.
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert gateway.services.store.connections()["reader"][0] == 0
        earn()
        kinds = [item_of(await waiting)["__typename"]]
        while kinds[-1] == "MemberState":
            kinds.append(item_of(await anext(received))["__typename"])
    assert kinds[-1] == "WatchSynced"
