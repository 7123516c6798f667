"""The number of statements of a query does not depend on the number of parents."""

import re
from typing import Any

import pytest

from tests.harness.gateway import Gateway
from tests.harness.scenario import fresh_id
from tests.harness.statements import record_statements

_MEMBERS = "members(first: 3) { totalCount nodes { id tenant { id images { nodes { id } } } } }"
_IMAGE = (
    f"id owner {{ id images(first: 2) {{ nodes {{ id }} }} }} viewerMembership {{ status image {{ id }} }} {_MEMBERS}"
)
QUERIES = {
    "images": f"query($n: Int!) {{ images(first: $n) {{ nodes {{ {_IMAGE} }} }} }}",
    "offers": f"query($n: Int!) {{ offers(first: $n, status: null) {{ nodes {{ id image {{ {_IMAGE} }} }} }} }}",
    "sentOffers": f"query($n: Int!) {{ sentOffers(first: $n) {{ nodes {{ id image {{ {_IMAGE} }} }} }} }}",
    "tenant.images": f"query($n: Int!) {{ viewer {{ images(first: $n) {{ nodes {{ {_IMAGE} }} }} }} }}",
}
NODES = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ id ... on Image {{ {_IMAGE} }} }} }}"


@pytest.fixture(scope="module")
async def market(databases: Any) -> Any:
    """A tenant with 50 incoming and 50 outgoing offers, on images with one or more members."""
    from tests.harness.gateway import settings_for, start_gateway

    async with start_gateway(settings_for(databases.fresh())) as gateway:
        trader = gateway.tenant(fresh_id())
        for _ in range(50):
            producer = gateway.tenant(fresh_id())
            own, theirs = await trader.register(), await producer.register()
            await producer.offer(theirs, trader.id, fresh_id())
            await trader.accept(theirs)
            await trader.offer(own, producer.id)
        yield gateway, trader


@pytest.mark.parametrize("name", QUERIES)
async def test_fifty_parents_take_as_many_statements_as_one(market: Any, name: str) -> None:
    gateway, trader = market

    with record_statements(gateway) as for_one:
        one = await trader.get(QUERIES[name], n=1)
    with record_statements(gateway) as for_fifty:
        fifty = await trader.get(QUERIES[name], n=50)

    assert len(str(fifty)) > 20 * len(str(one))
    assert _shapes(for_one) == _shapes(for_fifty)
    assert 0 < len(for_one) < 12


async def test_fifty_nodes_take_as_many_statements_as_one(market: Any) -> None:
    gateway, trader = market
    ids = [node["id"] for node in (await trader.get("{ images(first: 50) { nodes { id } } }"))["images"]["nodes"]]

    with record_statements(gateway) as for_one:
        await trader.get(NODES, ids=ids[:1])
    with record_statements(gateway) as for_fifty:
        nodes = (await trader.get(NODES, ids=ids))["nodes"]

    assert len(nodes) == 50
    assert _shapes(for_one) == _shapes(for_fifty)


async def test_a_total_is_counted_only_when_selected(market: Any) -> None:
    gateway, trader = market

    with record_statements(gateway) as sent:
        await trader.get("{ images { nodes { id } } }")

    assert len(sent) == 1


async def test_at_most_100_nodes_are_looked_up_at_a_time(shared_gateway: Gateway) -> None:
    caller = shared_gateway.tenant(fresh_id())

    assert (await caller.execute(NODES, ids=["x"] * 101)).code == "BAD_USER_INPUT"
    assert (await caller.get(NODES, ids=["x"] * 100))["nodes"] == [None] * 100


# Lists of values, and placeholders, whose numbers depend on the lists before them.
LISTED = re.compile(r"VALUES \(.*?\)\)?\n|_\d+(?=\)s)", re.DOTALL)


def _shapes(sent: list[str]) -> list[str]:
    """The statements without the lengths of their lists, in an order that does not depend on their timing."""
    return sorted(LISTED.sub("", statement.partition(" IN (")[0]) for statement in sent)
