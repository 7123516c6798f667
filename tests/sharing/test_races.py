"""Races, on both engines: `pytest tests/sharing/test_races.py --rounds 1000` for the long run.

On PostgreSQL the rivals are two gateways on one database, as two workers are; on SQLite they share one.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.harness import operations
from tests.harness.databases import Databases
from tests.harness.event_log import member_changes_after
from tests.harness.gateway import IMAGE, Gateway, Tenant, refusal_code, settings_for, start_gateway
from tests.harness.scenario import Scenario, fresh_id, make_scenario

QUOTA = 24


@pytest.fixture(scope="module")
async def rivals(databases: Databases) -> AsyncGenerator[tuple[Gateway, Gateway]]:
    url = databases.fresh()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(start_gateway(settings_for(url, member_quota=QUOTA)))
        if url.startswith("sqlite"):
            yield first, first
        else:
            yield first, await stack.enter_async_context(start_gateway(settings_for(url, member_quota=QUOTA)))


def elsewhere(gateway: Gateway, caller: Tenant) -> Tenant:
    """The same caller at the other gateway."""
    return Tenant(gateway, caller.caller)


async def test_concurrent_identical_offers_leave_one_row_and_one_event(
    rivals: tuple[Gateway, Gateway], rounds: int
) -> None:
    for _ in range(rounds):
        scenario = await make_scenario(rivals[0], "none")
        head_before = await _log_head(rivals[0])
        owners = [elsewhere(gateway, scenario.owner) for gateway in rivals]

        payloads = await asyncio.gather(*(owner.offer(scenario.image, scenario.consumer.id) for owner in owners * 3))

        assert sorted(map(refusal_code, payloads)) == ["CONFLICT"] * 5 + ["ok"]
        assert await _log_head(rivals[0]) == head_before + 1


async def test_images_that_want_the_same_external_id_at_once_leave_one_that_has_it(
    rivals: tuple[Gateway, Gateway], rounds: int
) -> None:
    for number in range(rounds):
        owners = [gateway.tenant("5005") for gateway in rivals]
        images = [await owners[0].register() for _ in range(2)]
        wanted: dict[str, Any] = {"externalId": f"catalogue/{number}"}

        payloads = await asyncio.gather(
            *(owner.do("registerImage", **IMAGE, **wanted) for owner in owners),
            *(owner.update(image, **wanted) for owner, image in zip(owners, images, strict=True)),
        )

        assert sorted(map(refusal_code, payloads)) == ["CONFLICT"] * 3 + ["ok"]


async def test_accept_against_revoke_has_one_winner_and_never_leaves_access(
    rivals: tuple[Gateway, Gateway], rounds: int
) -> None:
    for _ in range(rounds):
        scenario = await make_scenario(rivals[0], "pending")
        consumer = elsewhere(rivals[1], scenario.consumer)
        head_before = await _log_head(rivals[0])

        accepted, revoked = await asyncio.gather(
            consumer.accept(scenario.image), scenario.owner.revoke(scenario.image, consumer.id)
        )

        assert refusal_code(revoked) == "ok", "a row that is there is revoked, accepted or not"
        assert refusal_code(accepted) in ("ok", "NOT_FOUND")
        assert await _log_head(rivals[0]) == head_before + 1 + (refusal_code(accepted) == "ok")
        assert (await consumer.get(operations.IMAGE, id=scenario.image))["image"] is None
        assert (await consumer.get(operations.DEFAULT_IMAGES))["images"]["totalCount"] == 0


async def test_concurrent_offers_never_exceed_the_quota(rivals: tuple[Gateway, Gateway], rounds: int) -> None:
    for _ in range(max(1, rounds // 15)):
        owner = rivals[0].tenant(fresh_id())
        image = await owner.register()
        owners = [elsewhere(gateway, owner) for gateway in rivals]

        payloads = await asyncio.gather(*(owners[n % 2].offer(image, fresh_id()) for n in range(QUOTA + 16)))

        codes = sorted(map(refusal_code, payloads))
        assert codes == ["LIMIT_EXCEEDED"] * 16 + ["ok"] * QUOTA


async def test_accept_against_reject_leaves_log_and_row_equal(rivals: tuple[Gateway, Gateway], rounds: int) -> None:
    for _ in range(rounds):
        scenario = await make_scenario(rivals[0], "pending")
        consumer = elsewhere(rivals[1], scenario.consumer)
        start = await _log_head(rivals[0])

        payloads = await asyncio.gather(scenario.consumer.accept(scenario.image), consumer.reject(scenario.image))

        assert [refusal_code(payload) for payload in payloads] == ["ok", "ok"]
        entries = await member_changes_after(rivals[0].services.store, start)
        steps = [(step.previous_status, step.status) for step in entries]
        assert steps in (
            [("PENDING", "ACCEPTED"), ("ACCEPTED", "REJECTED")],
            [("PENDING", "REJECTED"), ("REJECTED", "ACCEPTED")],
        )
        row = (await scenario.consumer.get(operations.OFFERS, status=None))["offers"]["nodes"][0]
        assert row["status"] == steps[-1][1]


ACTS: dict[str, Any] = {
    "offer": lambda scenario: scenario.owner.offer(scenario.image, fresh_id()),
    "accept": lambda scenario: scenario.consumer.accept(scenario.image),
    "reject": lambda scenario: scenario.consumer.reject(scenario.image),
    "revoke": lambda scenario: scenario.owner.revoke(scenario.image, scenario.consumer.id),
    "update": lambda scenario: scenario.owner.update(scenario.image, name="renamed"),
    "delete": lambda scenario: scenario.owner.delete(scenario.image),
}


@pytest.mark.parametrize("act", ACTS)
async def test_deletion_against_anything_leaves_nothing_behind(
    rivals: tuple[Gateway, Gateway], rounds: int, act: str
) -> None:
    for _ in range(max(3, rounds // 5)):
        scenario = await make_scenario(rivals[0], "pending")
        owner = elsewhere(rivals[1], scenario.owner)
        start = await _log_head(rivals[0])

        deleted, other = await asyncio.gather(owner.delete(scenario.image), ACTS[act](scenario))

        assert refusal_code(other) in ("ok", "NOT_FOUND")
        assert refusal_code(deleted) == "ok" or act == "delete"
        await _expect_all_ended(rivals[0], scenario, start)


async def _expect_all_ended(gateway: Gateway, scenario: Scenario, start: int) -> None:
    last = {step.member_id: step.status for step in await member_changes_after(gateway.services.store, start)}
    assert set(last.values()) == {None}, "the last word on every membership is that it has ended"
    assert (await scenario.owner.get(operations.SENT_OFFERS, imageId=scenario.image))["sentOffers"]["totalCount"] == 0


async def _log_head(gateway: Gateway) -> int:
    return (await gateway.services.feed.head()).seq
