"""The log, pulled: `offerEvents` tells in pages what a watch tells."""

from typing import Any

import pytest

from tests.harness.gateway import Gateway
from tests.harness.operations import OFFER_EVENTS
from tests.harness.world import World, make_world
from tests.test_watch_gaps import first_items


async def test_the_log_is_pulled_in_pages_that_concatenate_to_what_a_watch_tells(gateway: Gateway) -> None:
    world = await make_world(gateway, "pending")
    for _ in range(3):
        await world.consumer.accept(world.image)
        await world.consumer.reject(world.image)

    pulled, after = await _pull(world, 3)
    watched = await first_items(world.consumer, 7, after=_start_of_log(gateway, world))

    assert [node["cursor"] for node in pulled] == [item["cursor"] for item in watched]
    await world.consumer.accept(world.image)
    [new] = (await world.consumer.get(OFFER_EVENTS, after=after))["offerEvents"]["nodes"]
    assert new["status"] == "ACCEPTED"


async def _pull(world: World, first: int) -> tuple[list[Any], str]:
    nodes: list[Any] = []
    after: str | None = None
    while True:
        page = (await world.consumer.get(OFFER_EVENTS, after=after, first=first))["offerEvents"]
        nodes += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        assert after is not None
        if not page["pageInfo"]["hasNextPage"]:
            return nodes, after


def _start_of_log(gateway: Gateway, world: World) -> str:
    assert world.consumer.caller is not None
    return gateway.services.feed.seal.close_between(0, world.consumer.caller)


@pytest.mark.parametrize("first", [0, 101, -1])
async def test_a_page_of_the_log_has_a_size_of_1_to_100(gateway: Gateway, first: int) -> None:
    assert (await gateway.tenant("1").ask(OFFER_EVENTS, first=first)).code == "BAD_USER_INPUT"
