"""The start of a watch, and interruptions: snapshots and resets."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from app.events.cursor import Seal
from app.store import log
from tests.harness.gateway import Gateway, Tenant, WatchRefused
from tests.harness.scenario import make_scenario

pytestmark = pytest.mark.slow

Run = Callable[..., AbstractAsyncContextManager[Gateway]]


async def first_items(caller: Tenant, number: int, **variables: Any) -> list[Any]:
    async with caller.watch(**variables) as items:
        return [await anext(items) for _ in range(number)]


async def test_a_snapshot_sends_the_current_state_followed_by_every_change(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "accepted")

    async with scenario.owner.watch(initial="SNAPSHOT") as items:
        states = [await anext(items) for _ in range(2)]
        synced = await anext(items)
        await scenario.consumer.reject(scenario.image)
        change = await anext(items)

    assert [item["__typename"] for item in (*states, synced, change)] == [
        "MemberState",
        "MemberState",
        "WatchSynced",
        "MemberStatusChanged",
    ]
    assert {state["tenant"]["id"]: state["status"] for state in states} == {
        scenario.consumer.id: "ACCEPTED",
        scenario.other.id: "ACCEPTED",
    }
    assert change["previousStatus"] == "ACCEPTED"
    [again] = await first_items(scenario.owner, 1, after=synced["cursor"])
    assert again["cursor"] == change["cursor"]


@pytest.mark.parametrize(
    ("caller", "filter", "seen"),
    [
        ("owner", None, 2),
        ("consumer", None, 1),
        ("stranger", None, 0),
        ("operator", None, 2),
        ("owner", {"role": "CONSUMER"}, 0),
        ("consumer", {"role": "PRODUCER"}, 0),
        ("owner", {"status": ["PENDING"]}, 1),
        ("owner", {"imageId": "nonsense"}, 0),
        ("owner", {"imageId": "\0"}, 0),
    ],
)
async def test_a_snapshot_contains_what_the_viewer_may_see_and_its_filter_selects(
    gateway: Gateway, caller: str, filter: Any, seen: int
) -> None:
    scenario = await make_scenario(gateway, "pending")

    items = await first_items(scenario.caller(caller), seen + 1, initial="SNAPSHOT", filter=filter)

    assert [item["__typename"] for item in items] == ["MemberState"] * seen + ["WatchSynced"]


async def test_a_cursor_from_inside_a_snapshot_restarts_it(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    [state] = await first_items(scenario.owner, 1, initial="SNAPSHOT")

    for on_gap in ("RESET", "FAIL"):
        again = await first_items(scenario.owner, 4, after=state["cursor"], onGap=on_gap)
        assert [item["__typename"] for item in again] == ["WatchReset", "MemberState", "MemberState", "WatchSynced"]
        assert again[0]["reason"] == "SNAPSHOT_INCOMPLETE"


async def test_a_cursor_of_another_log_or_of_the_future_resets_or_fails_as_requested(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    feed, viewer = gateway.services.feed, scenario.owner.caller
    assert viewer is not None
    other_log = Seal((await feed.head())._replace(epoch="00" * 8))
    cursors = {"AHEAD_OF_LOG": feed.seal.close(10**6, viewer), "EPOCH_CHANGED": other_log.close(0, viewer)}

    for reason, cursor in cursors.items():
        reset, *states, synced = await first_items(scenario.owner, 4, after=cursor)
        assert (reset["__typename"], reset["reason"], len(states)) == ("WatchReset", reason, 2)
        assert synced["__typename"] == "WatchSynced"
        with pytest.raises(WatchRefused) as refused:
            await first_items(scenario.owner, 1, after=cursor, onGap="FAIL")
        assert refused.value.code == "CURSOR_EXPIRED"
        oldest = refused.value.args[2]["oldestCursor"]
        assert (await first_items(scenario.owner, 1, after=oldest, onGap="FAIL"))[0]["kind"] == "OFFERED"


async def test_the_watch_of_a_caller_that_became_an_operator_is_reset(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    [bookmark] = await first_items(scenario.owner, 1)
    promoted = gateway.tenant(scenario.owner.id, "admin", "operator")

    [reset] = await first_items(promoted, 1, after=bookmark["cursor"])

    assert (reset["__typename"], reset["reason"]) == ("WatchReset", "ACCESS_CHANGED")


async def test_a_new_epoch_resets_running_watches(run_gateway: Run) -> None:
    async with run_gateway() as gateway:
        scenario = await make_scenario(gateway, "pending")
        async with scenario.owner.watch() as items:
            await anext(items)
            async with gateway.services.store.transaction() as tx:
                await log.rotate_epoch(tx)
            reset = await anext(items)

    assert (reset["__typename"], reset["reason"]) == ("WatchReset", "EPOCH_CHANGED")


async def test_a_watch_without_bookmarks_sends_only_the_initial_one(run_gateway: Run) -> None:
    async with run_gateway(bookmark_seconds=0.05) as gateway:
        scenario = await make_scenario(gateway, "pending")
        async with scenario.owner.watch(bookmarks=False) as items:
            kinds = [(await anext(items))["__typename"]]
            import asyncio

            await asyncio.sleep(0.3)
            await scenario.consumer.accept(scenario.image)
            kinds.append((await anext(items))["__typename"])

    assert kinds == ["WatchBookmark", "MemberStatusChanged"]


@pytest.mark.parametrize(
    "query",
    [
        "{ images { watchCursor } }",
        "{ offers { watchCursor } }",
        "{ sentOffers { watchCursor } }",
        "{ viewer { images { watchCursor } } }",
    ],
)
async def test_the_watch_cursor_of_a_list_starts_any_watch_of_its_viewer(gateway: Gateway, query: str) -> None:
    scenario = await make_scenario(gateway, "pending")
    answer: Any = await scenario.owner.get(query)
    while "watchCursor" not in answer:
        [answer] = answer.values()
    await scenario.consumer.accept(scenario.image)

    for filter in (None, {"role": "PRODUCER"}):
        [change] = await first_items(scenario.owner, 1, after=answer["watchCursor"], filter=filter)
        assert change["status"] == "ACCEPTED"
    with pytest.raises(WatchRefused):
        await first_items(scenario.consumer, 1, after=answer["watchCursor"])
