"""A refusal is always short, and the work that led to it is charged."""

from collections.abc import AsyncGenerator

import orjson
import pytest
from graphql import GraphQLError
from strawberry.types.execution import ExecutionResult

from app.api.operation import faults
from app.api.schema import build_schema
from app.documents import deadlines, price
from app.documents.price import Prices
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.scenario import fresh_id
from tests.harness.transports import TRANSPORTS, Reply, send_over

MOST_BYTES = 16_000
LONG = "x" * 20_000


def _many(name: str, after: str = "") -> str:
    return " ".join(f"{name}{n}{after}" for n in range(900))


DOCUMENTS = {
    "unknown input fields": f"mutation {{ registerImage(input: {{{_many('nan', ': 1')}}}) {{ image {{ id }} }} }}",
    "unknown fields": f"{{ viewer {{ {_many('imagez')} }} }}",
    "unknown arguments": f"{{ images({_many('frist', ': 1')}) {{ nodes {{ id }} }} }}",
    "unknown variables": f"{{ nodes(ids: [{_many('$v')}]) {{ id }} }}",
    "unused variables": f"query({_many('$v', ': ID')}) {{ viewer {{ id }} }}",
    "a long name": f"{{ {LONG} }}",
    "a long text for a number": f'{{ images(first: "{LONG}") {{ nodes {{ id }} }} }}',
    "a long word for an enum": f"{{ offers(status: {LONG}) {{ nodes {{ id }} }} }}",
    "a long unknown directive": f"{{ viewer @{LONG} {{ id }} }}",
}
VARIABLES = {
    "a thousand wrong items": ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [{}] * 1_000}),
    "wrong items in a list": ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [{LONG: LONG}]}),
    "a long text for a number": ("query($n: Int!) { images(first: $n) { nodes { id } } }", {"n": LONG}),
    "a long text for a cursor": ("query($a: String) { images(after: $a) { nodes { id } } }", {"a": LONG}),
    "unknown keys of an input": (
        "mutation($i: RegisterImageInput!) { registerImage(input: $i) { image { id } } }",
        {"i": {f"nane{n}": 1 for n in range(3_000)}},
    ),
}


@pytest.fixture(scope="module")
async def server(databases: Databases) -> AsyncGenerator[InProcessServer]:
    rates = {"rate_per_tenant": 1, "burst_per_tenant": 1_000_000}
    async with run_in_process(settings_for(databases.fresh(), **rates)) as served:
        yield served


# A URL is too short for a long document.
SENDABLE = [
    (kind, transport)
    for kind, text in DOCUMENTS.items()
    for transport in TRANSPORTS
    if transport != "get" or len(text) <= 6_000
]


@pytest.mark.parametrize(("kind", "transport"), SENDABLE)
async def test_the_refusal_of_a_document_is_short(server: InProcessServer, transport: str, kind: str) -> None:
    _require_short(await send_over(server, transport, DOCUMENTS[kind], server.token))


@pytest.mark.parametrize("transport", [one for one in TRANSPORTS if one != "get"])
@pytest.mark.parametrize("kind", VARIABLES)
async def test_the_refusal_of_variables_is_short(server: InProcessServer, transport: str, kind: str) -> None:
    query, variables = VARIABLES[kind]
    _require_short(await send_over(server, transport, query, server.token, **variables))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_new_document_is_charged_for_its_tokens_besides_its_cost(
    server: InProcessServer, transport: str
) -> None:
    words = " ".join(f"i{n}: id" for n in range(25))
    query, token = f"{{ viewer {{ {words} }} }}", server.token_of(fresh_id())
    first, second = [(await send_over(server, transport, query, token)).cost for _ in range(2)]

    assert first["requestedQueryCost"] >= second["requestedQueryCost"] + 75
    spent = first["throttleStatus"]["currentlyAvailable"] - second["throttleStatus"]["currentlyAvailable"]
    assert abs(spent - second["requestedQueryCost"]) < 75, "Only a little has come back meanwhile."


@pytest.mark.parametrize("kind", ["unknown input fields", "unknown arguments"])
async def test_a_refused_document_is_charged_for_its_tokens_too(server: InProcessServer, kind: str) -> None:
    reply = await send_over(server, "endpoint", DOCUMENTS[kind], server.token_of(fresh_id()))

    assert reply.cost["requestedQueryCost"] > 900 * 3


def _require_short(reply: Reply) -> None:
    assert reply.body.get("errors"), reply
    assert len(reply.body["errors"]) <= 21
    assert len(orjson.dumps(reply.body)) <= MOST_BYTES


def test_fewer_errors_are_sent_when_their_paths_are_long() -> None:
    errors = [GraphQLError("no", path=["images", number, "a" * 9_000]) for number in range(15)]

    shown = faults.client_errors(ExecutionResult(data=None, errors=errors), "test")

    assert [len(error.path or ()) for error in shown] == [3, 3, 0]
    assert shown[-1].message == "There are 13 more errors. Fix these first."


def test_time_beyond_the_free_allowance_is_charged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.001, 10.0, 10.219, 20.0, 20.5])
    monkeypatch.setattr(price, "thread_time", lambda: next(now))
    prices, text = Prices(build_schema().documents), "{ viewer { id } }"

    first, second = prices.of(text, None, {}), prices.of(text, None, {})

    assert (first.reading, second.reading) == (pytest.approx(20_000, abs=1), 0)


@pytest.mark.parametrize("kind", ["unknown input fields", "unknown arguments"])
def test_an_input_wider_than_any_type_is_refused_before_validation(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(deadlines, "validation_errors", None)

    fault = build_schema().documents.first_error(DOCUMENTS[kind])

    assert fault is not None
    assert "and the limit is 100" in fault
