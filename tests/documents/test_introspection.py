"""Introspection is limited, charged by the size of its result, and executed once for each document."""

from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import graphql
import pytest
from graphql import get_introspection_query

from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.scenario import fresh_id
from tests.harness.transports import TRANSPORTS, send_over

STANDARD = get_introspection_query(input_value_deprecation=True)
_INPUT = "args { name description type { name kind description ofType { name kind } } }"


def _aliases(number: int, field: str) -> str:
    return "{ " + " ".join(f"a{n}: {field}" for n in range(number)) + " }"


TOO_LARGE = {
    "27 aliases of __schema": _aliases(27, "__schema { types { name } }"),
    "27 aliases of __type": _aliases(27, '__type(name: "Image") { name }'),
    "aliases in a fragment": "{ ...S } fragment S on Query " + _aliases(4, "__schema { types { name } }"),
    "aliases beside data": "{ viewer { id } ...S } fragment S on Query "
    + _aliases(4, '__type(name: "Image") { name }'),
    "a tree of fields": "{ __schema { types { fields { type { ofType { fields " + _aliases(25, _INPUT) + " } } } } } }",
}
NESTED = (
    "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
    "{ __schema { types { interfaces { possibleTypes { interfaces { possibleTypes { name } } } } } } }",
)
COUNTED = (
    "{ __schema { queryType { name } } }",
    "{ __schema { types { name kind description } } }",
    '{ __type(name: "Image") { name fields { name args { name type { name } } type { name ofType { name } } } } }',
    "{ __schema { ...S } } fragment S on __Schema { directives { name locations args { name defaultValue } } }",
    '{ a: __type(name: "Nothing") { name } b: __schema { subscriptionType { fields { name } } } }',
)


@pytest.fixture(scope="module")
async def server(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(
        settings_for(databases.fresh(), rate_per_address=100_000, burst_per_address=100_000)
    ) as it:
        yield it


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The number of times each introspection was executed."""
    counted: Counter[str] = Counter()
    plain: Any = graphql.execute_sync

    def counting(schema: Any, document: Any, *args: Any, **kwargs: Any) -> Any:
        counted[document.loc.source.body] += 1
        return plain(schema, document, *args, **kwargs)

    monkeypatch.setattr(graphql, "execute_sync", counting)
    return counted


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_introspection_of_tools_is_answered_without_a_token_within_the_default_budget(
    databases: Databases, transport: str
) -> None:
    async with run_in_process(settings_for(databases.fresh())) as server:
        for _ in range(2):
            reply = await send_over(server, transport, STANDARD)
            assert len(reply.body["data"]["__schema"]["types"]) > 40, reply


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", TOO_LARGE)
async def test_an_introspection_that_selects_too_much_is_refused_and_not_executed(
    server: InProcessServer, transport: str, kind: str, executions: Counter[str]
) -> None:
    reply = await send_over(server, transport, TOO_LARGE[kind])

    assert reply.code == "QUERY_TOO_COMPLEX", reply
    assert not executions


@pytest.mark.parametrize("query", NESTED)
async def test_nested_lists_of_schema_elements_are_refused(
    server: InProcessServer, query: str, executions: Counter[str]
) -> None:
    assert (await send_over(server, "endpoint", query)).code == "GRAPHQL_VALIDATION_FAILED"
    assert not executions


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_introspection_is_executed_once_for_each_tenant(
    server: InProcessServer, transport: str, executions: Counter[str]
) -> None:
    query = f"# {fresh_id()}\n{STANDARD}"
    tokens = server.token_of(fresh_id()), server.token_of(fresh_id()), None
    answers = [await send_over(server, transport, query, token) for token in tokens * 3]

    assert executions == {query: 3}
    assert all(reply.body["data"] == answers[0].body["data"] for reply in answers)


@pytest.mark.parametrize("query", COUNTED)
async def test_an_introspection_costs_a_unit_for_each_field_of_its_response(
    server: InProcessServer, query: str
) -> None:
    await send_over(server, "endpoint", query)  # reading it is charged this once
    reply = await send_over(server, "endpoint", query)

    assert reply.cost["requestedQueryCost"] == _fields(reply.body["data"])


def _fields(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_fields, value))
    return sum(1 + _fields(below) for below in value.values()) if isinstance(value, dict) else 0
