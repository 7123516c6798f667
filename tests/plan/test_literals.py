"""Queries are planned for every form in which GraphQL allows to write argument values."""

from typing import Any

import pytest

from app.documents.limits import MOST_VALUES
from tests.harness.query_pool import Query
from tests.plan.test_equality import PopulatedGateway, both_ways, populated

_ = populated
NESTED = "{ ... on Image { members(first: 100) { nodes { id status tenant { id } image { id name } } } } }"


@pytest.mark.parametrize(
    ("declared", "field", "variables"),
    [
        ("$a: ID!", "nodes(ids: [$a])", {"a": "@ids-0"}),
        ("$a: ID!, $b: ID!", 'nodes(ids: [$a, "@ids-1", $b, $a])', {"a": "@ids-0", "b": "nonsense"}),
        ('$a: ID! = "@ids-2"', "nodes(ids: [$a])", {}),
        ("$a: ID!", "nodes(ids: [$a])", {"a": 404}),
        ("$s: MemberStatus!", "images(memberStatus: [$s])", {"s": "PENDING"}),
        ("$s: MemberStatus!", "images(memberStatus: [ACCEPTED, $s])", {"s": "PENDING"}),
        ("$s: MemberStatus! = REJECTED", "offers(status: [$s])", {}),
        ("$s: ImageStatus!", "images(status: [$s], memberStatus: null)", {"s": "ACTIVE"}),
        ("$s: MemberStatus!", "viewer { images { nodes { members(status: [$s]) { totalCount } } } }", {"s": "PENDING"}),
        ("", "images(memberStatus: PENDING)", {}),
        ("$s: [MemberStatus!]", "images(memberStatus: $s)", {"s": "PENDING"}),
        ('$s: [MemberStatus!] = PENDING', "images(memberStatus: $s)", {}),
        ("", 'nodes(ids: "@ids-0")', {}),
        ("$a: [ID!]!", "nodes(ids: $a)", {"a": "@ids-0"}),
        ("", "node(id: 404)", {}),
        ("$a: ID!", "node(id: $a)", {"a": 404}),
        ("$a: [ID!]!", f"nodes(ids: $a) {NESTED}", {"a": ["@ids-0"]}),
    ],
)  # fmt: skip
async def test_every_form_of_a_value_is_planned(
    populated: PopulatedGateway, declared: str, field: str, variables: dict[str, Any]
) -> None:
    selection = "" if field.endswith("}") else "{ id }" if "(id" in field or "(ids" in field else "{ nodes { id } }"
    query = Query(f"query Q{f'({declared})' if declared else ''} {{ {field} {selection} }}", variables)

    short, long, has_errors = await both_ways(populated, populated.viewers["owner"], query.fill(populated.pool))

    assert not has_errors
    assert short == long


@pytest.mark.parametrize(
    ("declared", "field", "variables"),
    [
        ("$s: MemberStatus = PENDING", "images(memberStatus: [$s])", {"s": None}),
        ("$s: MemberStatus!", "images(memberStatus: [$s])", {"s": "MELTED"}),
        ("$s: MemberStatus!", "images(memberStatus: [$s])", {}),
        ("$s: String!", "images(memberStatus: [$s])", {"s": "PENDING"}),
        ("$s: [MemberStatus!]", "images(memberStatus: [$s])", {"s": ["PENDING"]}),
        ("$a: ID!", "nodes(ids: [$a])", {"a": 1.5}),
        ("$a: [ID!]!", "nodes(ids: $a)", {"a": ["x"] * 101}),
        ("$s: [MemberStatus!]", "images(memberStatus: $s)", {"s": ["PENDING"] * (MOST_VALUES + 1)}),
        ("$a: [ID!]!", f"nodes(ids: $a) {NESTED}", {"a": ["x"] * 100}),
    ],
)
async def test_invalid_values_are_refused_by_graphql_core(
    populated: PopulatedGateway, declared: str, field: str, variables: dict[str, Any]
) -> None:
    selection = "" if field.endswith("}") else "{ id }" if "ids" in field else "{ nodes { id } }"
    query = Query(f"query Q({declared}) {{ {field} {selection} }}", variables)

    short, _, has_errors = await both_ways(populated, populated.viewers["owner"], query)

    assert short is None
    assert has_errors


async def test_a_list_of_ids_is_priced_by_its_length(populated: PopulatedGateway) -> None:
    text = f"query Q($ids: [ID!]!) {{ nodes(ids: $ids) {NESTED} }}"
    planned: list[bool] = []
    for number in (1, 100, 1):
        query = Query(text, {"ids": ["x"] * number})
        short, _, has_errors = await both_ways(populated, populated.viewers["owner"], query)
        planned.append(short is not None)
        assert planned[-1] is not has_errors

    assert planned == [True, False, True]
