"""The cost of operations, counted over aliases and fragments, with the page sizes in the variables."""

from typing import Any

import pytest

from app.api.schema import build_schema
from app.documents.price import REFUSED, WATCH, WRITE, Price, Prices
from app.settings import Settings
from tests.harness.operations import WATCH as WATCH_OFFERS

GENEROUS = Settings(max_aliases=1_000, max_root_fields=1_000, max_fields=10_000, max_repeats=10_000)
PAGE = "query($n: Int = 50) { images(first: $n) { nodes { id } } }"
NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
OFFER = "mutation($o: OfferImageInput!) { offerImage(input: $o) { clientMutationId } }"
ACCEPT = "mutation { acceptOffer(input: {imageId: 1}) { clientMutationId } }"


@pytest.fixture(scope="module")
def prices() -> Prices:
    return Prices(build_schema(GENEROUS).documents)


TYPES = len(build_schema(GENEROUS)._schema.type_map)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("query", "variables", "cost"),
    [
        ("{ viewer { id } }", {}, 2),
        ("{ a: viewer { id } b: viewer { id } }", {}, 4),
        ("{ ...a ...a } fragment a on Query { viewer { id } }", {}, 4),
        (PAGE, {}, 101),
        (PAGE, {"n": None}, 41),
        (PAGE, {"n": 7}, 15),
        (PAGE, {"n": 100}, 201),
        (PAGE, {"n": 10**9}, 201),
        (PAGE, {"n": -3}, 3),
        (NODES, {"ids": ["1", "2", "3"]}, 4),
        (ACCEPT, {}, 2 + WRITE),
        (OFFER, {"o": {"imageId": "1", "tenantIds": ["1"]}}, 2 + WRITE),
        (OFFER, {"o": {"imageId": "1", "tenantIds": ["1"] * 70}}, 71 + 70 * WRITE),
        ("subscription { watchOffers { cursor } }", {}, 2 + WATCH),
        ("{ images(first: 1) { nodes { name serverId checksum } } }", {}, 1 + 1 + 3),
        ("{ images(first: 10) { nodes { name tags } } }", {}, 1 + 10 * (1 + 1 + 9)),
        ("{ images(first: 10) { nodes { id sourceUrl } } }", {}, 1 + 10 * (1 + 1 + 9)),
        ("{ viewer { " + "x" * 5_000 + ": id } }", {}, 1 + 1 + 4),
        ("{ __schema { types { name } queryType { name } } }", {}, 1 + 1 + TYPES + 2),
        ("{ ...a } fragment a on Query { __schema { ... { t: types { name } u: types { name } }}}", {}, 3 + 2 * TYPES),
        ("{", {}, REFUSED),
        ("{ nothing }", {}, REFUSED),
        ("query a { viewer { id } } query b { viewer { id } }", {}, REFUSED),
        ("{ viewer { " + "id " * 4_000 + "} }", {}, REFUSED),
    ],
)  # fmt: skip
def test_operations_have_their_expected_cost(prices: Prices, query: str, variables: dict[str, Any], cost: int) -> None:
    assert prices.of(query, None, variables).cost == cost


def test_a_price_is_cached_for_each_page_size(prices: Prices) -> None:
    twice = [prices.of(PAGE, None, {"n": n}).cost for n in (1, 2, 100, 1, 2, 100)]

    assert twice == [3, 5, 201, 3, 5, 201]


def test_prices_that_are_not_cached_are_the_same(prices: Prices) -> None:
    forwards = [prices.of(PAGE, None, {"n": n}).cost for n in range(1, 101)]

    assert forwards == [1 + 2 * n for n in range(1, 101)]
    assert [prices.of(PAGE, None, {"n": n}).cost for n in range(1, 101)] == forwards


@pytest.mark.parametrize("selected", ["clientMutationId", "members { id status } errors { code }"])
def test_a_hundred_aliases_cost_what_a_hundred_requests_cost(prices: Prices, selected: str) -> None:
    def offer(name: str) -> str:
        return f'{name}offerImage(input: {{imageId: "1", tenantIds: ["2"]}}) {{ {selected} }}'

    one = prices.of(f"mutation {{ {offer('')} }}", None, {}).cost
    hundred = prices.of("mutation { " + " ".join(offer(f"a{n}: ") for n in range(100)) + " }", None, {}).cost

    assert hundred == 100 * one


def test_a_hundred_tenant_ids_cost_nearly_what_a_hundred_offers_cost(prices: Prices) -> None:
    one = prices.of(OFFER, None, {"o": {"imageId": "1", "tenantIds": ["2"]}}).cost
    hundred = prices.of(OFFER, None, {"o": {"imageId": "1", "tenantIds": [str(n) for n in range(100)]}}).cost

    assert 100 * (one - 1) < hundred <= 100 * one


def test_only_a_subscription_is_priced_as_a_watch(prices: Prices) -> None:
    assert prices.of(WATCH_OFFERS, None, {}).is_watch
    prices.of("{ viewer { id } } # subscription", None, {})  # its tokens are charged once
    assert prices.of("{ viewer { id } } # subscription", None, {}) == Price(2)


def test_an_operation_over_a_limit_costs_as_much_as_a_refusal() -> None:
    small = Prices(build_schema(Settings(max_cost=100)).documents)

    assert small.of(PAGE, None, {"n": 49}).cost == 99
    assert small.of(PAGE, None, {"n": 50}).cost == REFUSED
