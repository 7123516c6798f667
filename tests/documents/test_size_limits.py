"""Limits on the size of operations, checked in time linear in the document."""

from time import perf_counter
from typing import Any

import pytest
from graphql import GraphQLError

from app.api.schema import build_schema
from app.documents.price import REFUSED, Prices
from app.settings import Settings
from tests.harness.gateway import Gateway

ROOTS = "fragment a on Query { image(id: 1) { id } nodes(ids: []) { id } }"
OFFER = "mutation($o: OfferImageInput!) { offerImage(input: $o) { clientMutationId } }"
OFFER_LITERAL = '{ offerImage(input: {imageId: "1", tenantIds: $t}) { clientMutationId } }'
NESTED = "{ images { nodes { owner { images { nodes { owner { id } } } } } } }"


def bomb(levels: int) -> str:
    """A document whose expansion doubles with each level."""
    fragments = [f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(levels)]
    return " ".join(["{ ...f0 }", *fragments, f"fragment f{levels} on Query {{ viewer {{ id }} }}"])


@pytest.mark.parametrize(
    ("setting", "query", "variables", "measured"),
    [
        ("max_depth", NESTED, {}, 7),
        ("max_depth", "{ ...a } fragment a on Query { viewer { ...b } } fragment b on Tenant { id }", {}, 2),
        ("max_aliases", "{ a: viewer { id } b: viewer { c: id } }", {}, 3),
        ("max_root_fields", "{ viewer { id } ... { ...a } } " + ROOTS, {}, 3),
        ("max_fields", "{ ...a ...a } fragment a on Query { viewer { id } }", {}, 4),
        ("max_cost", "{ images(first: 50) { nodes { id } } }", {}, 101),
        ("max_cost", "query($n: Int) { images(first: $n) { nodes { id } } }", {"n": 7}, 15),
        ("max_cost", "{ images { nodes { id } } }", {}, 41),
        ("max_cost", "{ images(last: 10) { nodes { members(first: 10) { nodes { id } } } } }", {}, 221),
        ("max_cost", "query($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": ["1", "2", "3"]}, 4),
        ("max_cost", "query($n: Int = 100) { images(first: $n) { nodes { id } } }", {}, 201),
        ("max_cost", "query($n: Int = 100) { images(first: $n) { nodes { id } } }", {"n": None}, 41),
        ("max_cost", "query($n: Int) { images(first: $n) { nodes { id } } }", {"n": 100.0}, 201),
        ("max_cost", 'query($i: [ID!]! = ["1", "2"]) { nodes(ids: $i) { id } }', {}, 3),
        ("max_cost", "{ ...a } fragment a on Query { images(first: 50) { nodes { id } } }", {}, 101),
        ("max_cost", "{ offerEvents { nodes { cursor } } }", {}, 201),
        ("max_cost", OFFER, {"o": {"imageId": "1", "tenantIds": ["1"] * 70}}, 71),
        ("max_cost", OFFER, {"o": {"imageId": "1", "tenantIds": "1"}}, 2),
        ("max_cost", "mutation " + OFFER_LITERAL.replace("$t", '["1", "2"]'), {}, 3),
        ("max_cost", "mutation($t: [ID!]!) " + OFFER_LITERAL, {"t": ["1", "2", "3"]}, 4),
        ("max_repeats", "{ viewer { id " + "id " * 29 + "} }", {}, 30),
        ("max_repeats", "{ viewer { id } } fragment unused on Tenant { " + "id " * 30 + "}", {}, 31),
    ],
)  # fmt: skip
def test_an_operation_over_a_limit_is_refused_with_the_limit_and_its_size(
    setting: str, query: str, variables: dict[str, Any], measured: int
) -> None:
    generous: dict[str, Any] = {
        "max_depth": 99,
        "max_aliases": 99,
        "max_fields": 9_999,
        "max_repeats": 9_999,
        "max_cost": 10**9,
    }

    at_the_limit = _errors(Settings.load(**{**generous, setting: measured}), query, variables)
    over_it = _errors(Settings.load(**{**generous, setting: measured - 1}), query, variables)

    assert [error for error in at_the_limit if "limit" in error.message] == []
    assert [error.extensions and error.extensions["code"] for error in over_it] == ["QUERY_TOO_COMPLEX"]
    assert f"is {measured}, and the limit is {measured - 1}." in over_it[0].message


def test_checking_a_fragment_bomb_takes_time_linear_in_its_levels() -> None:
    settings = Settings.load()

    ratio = _seconds(settings, bomb(18)) / _seconds(settings, bomb(6))

    assert ratio < 60, "a measure that unfolds the fragments takes 2^12 times as long"


async def test_a_document_of_too_many_tokens_is_refused_before_it_is_parsed(gateway: Gateway) -> None:
    answer = await gateway.tenant("1").execute("{ viewer { " + "id " * 3_000 + "} }")

    assert (answer.code, answer.data) == ("QUERY_TOO_COMPLEX", None)
    assert "3000 tokens" in answer.errors[0]["message"]


@pytest.mark.parametrize("levels", [20, 60, 200])
async def test_a_nested_fragment_bomb_is_refused(gateway: Gateway, levels: int) -> None:
    assert (await gateway.tenant("1").execute(bomb(levels))).code == "QUERY_TOO_COMPLEX"


@pytest.mark.parametrize(
    "query",
    [
        "{ ...a } fragment a on Query { ...a }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "{ ...unknown }",
        "{ unknown(first: 3) { a } }",
    ],
)
async def test_measuring_an_invalid_document_does_not_fail(gateway: Gateway, query: str) -> None:
    assert (await gateway.tenant("1").execute(query)).code == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize("query", ["{" * 100_000, "[" * 5_000, "{a" * 900 + "}" * 900, "query(" + "$a:[" * 900])
async def test_deep_nesting_is_clearly_refused(gateway: Gateway, query: str) -> None:
    answer = await gateway.tenant("1").execute(query)

    assert answer.code in ("QUERY_TOO_COMPLEX", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED")


async def test_a_hundred_aliases_of_a_mutation_are_refused_and_none_is_executed(gateway: Gateway) -> None:
    owner = gateway.tenant("1")
    image = await owner.register()
    offers = " ".join(
        f'a{n}: offerImage(input: {{imageId: "{image}", tenantIds: ["{n + 100}"]}}) {{ errors {{ code }} }}'
        for n in range(100)
    )

    assert (await owner.execute(f"mutation {{ {offers} }}")).code == "QUERY_TOO_COMPLEX"
    assert (await owner.get("{ sentOffers { totalCount } }"))["sentOffers"]["totalCount"] == 0


async def test_the_introspection_of_tools_stays_within_the_limits(gateway: Gateway) -> None:
    from graphql import get_introspection_query

    assert (await gateway.anonymous.get(get_introspection_query()))["__schema"]["queryType"]["name"] == "Query"


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        ("query($a: [MemberStatus!]) { offers(status: $a) { totalCount } }", {"a": ["PENDING"] * 1_001}, "1001 values"),
        (
            "query($a: ImageVisibility) { images(visibility: $a) { totalCount } }",
            {"a": "P" * 10_001},
            "10001 characters",
        ),
        ("query($a: ID!) { image(id: $a) { id } }", {"a": {"k" * 10_001: 1}}, "10001 characters"),
        ("query($a: ID!) { image(id: $a) { id } }", {"a": {f"k{n}": 1 for n in range(1_001)}}, "1001 values"),
        (f"{{ nodes(ids: [{'1 ' * 1_001}]) {{ id }} }}", {}, "1001, and the limit is 1000"),
        ("{ viewer {" + "\n" * 5_001 + "nobody } }", {}, "5001 lines"),
        ("{ viewer {" + "\r" * 5_001 + "nobody } }", {}, "5001 lines"),
    ],
)
def test_what_is_far_larger_than_any_use_of_it_is_refused_before_it_is_coerced(
    query: str, variables: dict[str, Any], message: str
) -> None:
    assert message in _refusal(query, variables)
    assert Prices(build_schema().documents).of(query, None, variables).cost == REFUSED


def _refusal(query: str, variables: dict[str, Any]) -> str:
    """The message of the error with which a document is refused, when it is parsed or when it is measured."""
    try:
        return _errors(Settings(), query, variables)[0].message
    except GraphQLError as error:
        return error.message


def _errors(settings: Settings, query: str, variables: dict[str, Any]) -> list[Any]:
    documents = build_schema(settings).documents
    return documents.errors(query, None, variables)


def _seconds(settings: Settings, query: str) -> float:
    times: list[float] = []
    for _ in range(5):
        documents = build_schema(settings).documents
        documents.parse(document := documents.open(query))
        start = perf_counter()
        documents.errors(document, None, {})
        times.append(perf_counter() - start)
    return min(times)


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": ["1"] * 20_000}),
        (OFFER, {"o": {"imageId": "1", "tenantIds": ["1"] * 20_000}}),
    ],
)
async def test_a_huge_list_in_the_variables_is_refused_before_coercion(
    gateway: Gateway, query: str, variables: dict[str, Any]
) -> None:
    answer = await gateway.tenant("1").execute(query, **variables)

    assert answer.code == "QUERY_TOO_COMPLEX"
    assert "20000 values" in answer.errors[0]["message"]
