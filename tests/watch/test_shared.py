"""Equal watches share one execution and receive the same bytes."""

import asyncio
import json
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest

from app.api.operation.context import Context
from app.api.watch import payload_cache
from tests.harness import operations
from tests.harness.gateway import Gateway, Tenant
from tests.harness.scenario import Scenario, make_scenario
from tests.harness.statements import record_statements


async def raw(gateway: Gateway, tenant: Tenant, held: AsyncExitStack, query: str = operations.WATCH) -> Any:
    """The payloads of a watch, as bytes."""
    context = Context(gateway.services, tenant.caller, "test")
    held.push_async_callback(context.close)
    return await held.enter_async_context(aclosing(gateway.schema.streams.run(query, {}, None, context)))


async def test_a_shared_and_a_single_watcher_receive_the_same_bytes(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    async with AsyncExitStack() as held:
        many = [await raw(gateway, scenario.owner, held) for _ in range(10)]
        start, *_ = [await anext(payloads) for payloads in many]
        with record_statements(gateway) as sent:
            await scenario.consumer.accept(scenario.image)
            payloads_of = await asyncio.gather(*(anext(payloads) for payloads in many))
        cursor = _cursor(start)
        context = Context(gateway.services, scenario.owner.caller, "test")
        held.push_async_callback(context.close)
        await asyncio.sleep(payload_cache.FRESH_SECONDS + 0.1)
        lone = gateway.schema.streams.run(operations.WATCH, {"after": cursor}, None, context)
        alone = await anext(await held.enter_async_context(aclosing(lone)))

    assert len(set(payloads_of)) == 1
    assert payloads_of[0] == alone
    reads = [statement for statement in sent if "FROM named" in statement]
    assert len(reads) == 1, "the nested member was read once for all ten"


def _cursor(payload: bytes) -> str:
    return json.loads(payload)["extensions"]["cursor"]


@pytest.mark.parametrize("other", ["another tenant", "other roles", "another selection"])
async def test_different_watches_share_nothing(gateway: Gateway, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a slow machine, both take longer than a second.
    monkeypatch.setattr(gateway.schema.streams.payloads.cache, "max_age", 600)
    scenario: Scenario = await make_scenario(gateway, "pending")
    query = operations.WATCH.replace("occurredAt", "") if other == "another selection" else operations.WATCH
    second = {
        "another tenant": scenario.consumer,
        "other roles": gateway.tenant(scenario.owner.id, "observer"),
        "another selection": scenario.owner,
    }[other]
    async with AsyncExitStack() as held:
        both = [await raw(gateway, scenario.owner, held), await raw(gateway, second, held, query)]
        for payloads in both:
            await anext(payloads)
        await scenario.consumer.accept(scenario.image)
        for payloads in both:
            await anext(payloads)
        made = len(gateway.schema.streams.payloads)

    assert made == 2


async def test_a_watcher_that_disconnects_does_not_affect_the_others(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    async with AsyncExitStack() as held:
        first, second = [await raw(gateway, scenario.owner, held) for _ in range(2)]
        await anext(first)
        await anext(second)
        waiting = asyncio.create_task(anext(first))
        await asyncio.sleep(0)
        await scenario.consumer.accept(scenario.image)
        waiting.cancel()
        assert b"ACCEPTED" in await anext(second)
        await asyncio.gather(waiting, return_exceptions=True)


async def test_shared_payloads_are_dropped_soon_and_use_limited_memory(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.schema.streams.payloads.cache, "max_entries", 3)
    scenario = await make_scenario(gateway, "pending")
    async with AsyncExitStack() as held:
        payloads = await raw(gateway, scenario.owner, held)
        await anext(payloads)
        for _ in range(4):
            await scenario.consumer.accept(scenario.image)
            await scenario.consumer.reject(scenario.image)
            await anext(payloads)
            await anext(payloads)

    assert len(gateway.schema.streams.payloads) <= 3


TWO_OPERATIONS = """
subscription Resume($x: Cursor) { watchOffers(after: $x) { cursor } }
subscription Live($x: Boolean!, $from: Cursor) { watchOffers(after: $from) {
  cursor ... on MemberStatusChanged { kind @include(if: $x) imageId @skip(if: $x) } } }
"""


async def test_a_variable_used_by_another_operation_of_the_document_counts(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    assert scenario.owner.caller is not None
    start = gateway.services.feed.seal.close_between(0, scenario.owner.caller)

    async def payloads_of(x: bool) -> set[str]:
        context = Context(gateway.services, scenario.owner.caller, "test")
        variables = {"x": x, "from": start}
        async with aclosing(gateway.schema.streams.run(TWO_OPERATIONS, variables, "Live", context)) as payloads:
            item = json.loads(await anext(payloads))["data"]["watchOffers"]
        await context.close()
        return set(item)

    assert await payloads_of(True) == {"cursor", "kind"}
    assert await payloads_of(False) == {"cursor", "imageId"}


async def test_a_watch_started_after_a_revocation_does_not_show_the_membership(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    assert scenario.consumer.caller is not None
    start = gateway.services.feed.seal.close_between(0, scenario.consumer.caller)

    async def member() -> Any:
        async with scenario.consumer.watch(after=start) as items:
            return (await anext(items))["member"]

    assert (await member())["status"] == "PENDING"
    await scenario.owner.revoke(scenario.image, scenario.consumer.id)

    assert await member() is None
