"""`offerEvents` returns the log in pages, with the same events as a watch."""

from typing import Any

import pytest

from app.api.watch import offer_events
from app.api.watch.offers import OfferWatchFilter, watch_of_offers
from tests.harness.gateway import Gateway
from tests.harness.operations import OFFER_EVENTS
from tests.harness.scenario import Scenario, make_scenario
from tests.watch.test_gaps import first_items


async def test_the_pages_of_the_log_concatenate_to_the_items_of_a_watch(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    for _ in range(3):
        await scenario.consumer.accept(scenario.image)
        await scenario.consumer.reject(scenario.image)

    pulled, after = await _pull(scenario, 3)
    watched = await first_items(scenario.consumer, 7, after=_start_of_log(gateway, scenario))

    assert [node["cursor"] for node in pulled] == [item["cursor"] for item in watched]
    await scenario.consumer.accept(scenario.image)
    [new] = (await scenario.consumer.get(OFFER_EVENTS, after=after))["offerEvents"]["nodes"]
    assert new["status"] == "ACCEPTED"


async def _pull(scenario: Scenario, first: int) -> tuple[list[Any], str]:
    nodes: list[Any] = []
    after: str | None = None
    while True:
        page = (await scenario.consumer.get(OFFER_EVENTS, after=after, first=first))["offerEvents"]
        nodes += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        assert after is not None
        if not page["pageInfo"]["hasNextPage"]:
            return nodes, after


def _start_of_log(gateway: Gateway, scenario: Scenario) -> str:
    assert scenario.consumer.caller is not None
    return gateway.services.feed.seal.close_between(0, scenario.consumer.caller)


async def test_a_cursor_from_inside_a_snapshot_cannot_start_a_page(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    [state] = await first_items(scenario.owner, 1, initial="SNAPSHOT")

    assert (await scenario.owner.execute(OFFER_EVENTS, after=state["cursor"])).code == "CURSOR_EXPIRED"


async def test_how_far_a_page_reads_does_not_depend_on_others(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offer_events, "READ_AT_MOST", 10)
    monkeypatch.setattr(offer_events, "READ_AT_ONCE", 2)
    quiet, busy = await make_scenario(gateway, "pending"), await make_scenario(gateway, "pending")

    async def reads_on(scenario: Scenario, others: int) -> bool:
        start = (await first_items(scenario.consumer, 1))[0]["cursor"]
        for _ in range(4):
            await scenario.consumer.accept(scenario.image)
            await scenario.consumer.reject(scenario.image)
            for _ in range(others):
                await gateway.tenant("77").register()
        nothing = {"imageId": "nothing"}
        page = await scenario.consumer.get(PAGE, after=_rebound(gateway, scenario, start), filter=nothing)
        return page["offerEvents"]["pageInfo"]["hasNextPage"]

    assert await reads_on(quiet, 0) == await reads_on(busy, 3)


PAGE = """query($after: Cursor, $filter: OfferWatchFilter) {
  offerEvents(after: $after, filter: $filter) { pageInfo { hasNextPage } } }"""


def _rebound(gateway: Gateway, scenario: Scenario, cursor: str) -> str:
    """The same position for any watch of the viewer."""
    assert scenario.consumer.caller is not None
    feed, viewer = gateway.services.feed, scenario.consumer.caller
    seq = feed.seal.open(cursor, viewer, watch_of_offers(viewer, OfferWatchFilter()).fingerprint).seq
    return feed.seal.close_between(seq, viewer)


@pytest.mark.parametrize("first", [0, 101, -1])
async def test_a_page_of_the_log_has_a_size_of_1_to_100(gateway: Gateway, first: int) -> None:
    assert (await gateway.tenant("1").execute(OFFER_EVENTS, first=first)).code == "BAD_USER_INPUT"
