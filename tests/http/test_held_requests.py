"""What was sent with a request is not held when the request is over, nor by a watch that does not need it."""

import gc
from typing import Any

import pytest

from app.documents.limits import MOST_CHARACTERS
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.raw_connection import open_connection, operation
from tests.harness.transports import send_over
from tests.harness.waiting import wait_until

WATCH = "subscription { watchOffers { cursor } }"
QUERIES = [
    "{ __typename }",
    "{ images { totalCount } offerEvents { nodes { cursor } } }",
    WATCH,
    "subscription($a: String) { watchOffers(after: $a) { cursor } }",
    "{",
    "{ nobody }",
    "query A { __typename } query B { __typename }",
    "query($a: ID!) { image(id: $a) { id } }",
    "{ images(first: 101) { totalCount } }",
    '{ images(after: "x") { totalCount } offerEvents(after: "x") { nodes { cursor } } }',
    'mutation { acceptOffer(input: {imageId: "x"}) { errors { code } } }',
    'mutation { a: acceptOffer(input: {imageId: "x"}) { errors { code } } b: nobody }',
]


def _held() -> list[Any]:
    """The objects in this process that hold the junk."""
    return [one for one in gc.get_objects() if isinstance(one, dict) and len(one.get("junk", "")) == 9_000]


@pytest.fixture
def without_collector() -> Any:
    """What only the garbage collector would free is held for long: it runs rarely in the server."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("query", QUERIES)
async def test_an_idle_connection_holds_nothing_of_the_request_before(
    sqlite_databases: SqliteDatabases, without_collector: None, query: str, accept: str
) -> None:
    async with run_in_process(settings_for(sqlite_databases.fresh())) as server, open_connection(server.port) as client:
        await client.send(_post(server, query, accept))
        await client.reader.readuntil(b'{"')
        await wait_until(lambda: not _held())
        assert not client.is_closed


def _post(server: InProcessServer, query: str, accept: str) -> bytes:
    # The collector does not track an object that holds nothing but strings.
    variables = {"junk": "x" * 9_000, "list": [[]]}
    return operation(query, f"authorization: Bearer {server.token}", f"accept: {accept}", variables=variables)


@pytest.mark.parametrize("transport", ["events", "websocket"])
async def test_a_watch_with_more_variables_than_it_needs_is_refused(
    sqlite_databases: SqliteDatabases, transport: str
) -> None:
    async with run_in_process(settings_for(sqlite_databases.fresh())) as server:
        many = {f"unused{number}": "x" * (MOST_CHARACTERS // 10) for number in range(6)}
        reply = await send_over(server, transport, WATCH, server.token, **many)

    [error] = reply.body["errors"]
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert "variables of a watch" in error["message"]
