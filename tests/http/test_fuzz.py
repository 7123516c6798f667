"""Hostile input of every kind, thought up by Hypothesis: a clear JSON error with its status, never a 500.

`pytest -m long tests/http/test_fuzz.py --rounds 1000` tries more.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from app.errors import ErrorCode
from tests.harness.operations import MUTATIONS, WATCH
from tests.harness.scenario import fresh_id
from tests.harness.server import Server
from tests.harness.sockets import connect_socket, open_socket

pytestmark = [pytest.mark.slow, pytest.mark.long]

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
QUERIES = st.sampled_from(
    ["{ viewer { id } }", "{ images { nodes { id } } }", *MUTATIONS.values(), WATCH, "{", "query A{a} query B{b}"]
)
REQUESTS = st.fixed_dictionaries(
    {"query": QUERIES | JSON_VALUES},
    optional={"variables": st.just({}) | JSON_VALUES, "operationName": JSON_VALUES, "extensions": JSON_VALUES},
)
INPUTS = st.dictionaries(
    st.sampled_from(["imageId", "id", "tenantIds", "tenantId", "name", "origin", "sourceUrl", "sizeBytes", "tags"]),
    JSON_VALUES | st.uuids().map(str) | st.lists(st.text(max_size=5), max_size=3),
)
BODIES = st.binary(max_size=200) | (JSON_VALUES | REQUESTS).map(lambda value: json.dumps(value).encode())
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "accept": st.sampled_from(
            ["", "*/*", "a", "a/b;q=x", "application/json", "text/html", ",,", "application/*;q=0"]
        ),
        "content-type": st.sampled_from(["", "application/json", "application/json; charset=x", "text/plain", "x"]),
        "authorization": st.sampled_from(["", "Bearer", "Bearer a.b.c", "x" * 100]),
    },
)
STATUSES = {200, 204, 400, 401, 405, 406, 413, 415}
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture(scope="module")
def examples(request: pytest.FixtureRequest) -> int:
    return max(150, int(request.config.getoption("--rounds") or 0))


def test_no_http_request_makes_the_server_fail(server: Server, examples: int) -> None:
    tenant = server.token(fresh_id())

    @settings(max_examples=examples, deadline=None, suppress_health_check=SLOW)
    @given(
        method=st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS"]),
        body=BODIES,
        headers=HEADERS,
        known=st.booleans(),
    )
    def attack(method: str, body: bytes, headers: dict[str, str], known: bool) -> None:
        sent = {"content-type": "application/json", **headers}
        if known and "authorization" not in headers:
            sent["authorization"] = f"Bearer {tenant}"
        _expect_a_clear_answer(server.client.request(method, "/graphql", content=body, headers=sent))

    attack()


def test_no_get_request_makes_the_server_fail(server: Server, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=SLOW)
    @given(
        params=st.dictionaries(st.sampled_from(["query", "variables", "operationName", "extensions", "x"]), st.text())
    )
    def attack(params: dict[str, str]) -> None:
        _expect_a_clear_answer(server.client.get("/graphql", params=params, headers={"accept": "*/*"}))

    attack()


def test_no_input_of_a_mutation_makes_the_server_fail(server: Server, examples: int) -> None:
    headers = {"authorization": f"Bearer {server.token(fresh_id())}"}

    @settings(max_examples=examples, deadline=None, suppress_health_check=SLOW)
    @given(query=st.sampled_from([*MUTATIONS.values()]), input=INPUTS)
    def attack(query: str, input: Any) -> None:
        body = json.dumps({"query": query, "variables": {"input": input}})
        sent = {**headers, "content-type": "application/json"}
        _expect_a_clear_answer(server.client.post("/graphql", content=body, headers=sent))

    attack()


def _expect_a_clear_answer(answer: Any) -> None:
    assert answer.status_code in STATUSES, answer.text
    if answer.status_code in (204, 405):
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    if answer.status_code == 204:
        assert (answer.request.method, answer.content) == ("OPTIONS", b"")
        return
    if answer.headers["content-type"].startswith("text/html"):
        assert answer.request.method == "GET"  # GraphiQL, for who wants a page
        return
    told = answer.json()
    assert isinstance(told, dict)
    for error in told.get("errors", []):
        assert error["message"]
        assert error["extensions"]["code"] in set(ErrorCode) - {ErrorCode.INTERNAL_SERVER_ERROR}
    assert "data" in told or told["errors"]


MESSAGES = st.lists(
    st.binary(max_size=30)
    | st.text(max_size=30)
    | JSON_VALUES.map(json.dumps)
    | st.fixed_dictionaries(
        {"type": st.sampled_from(["connection_init", "subscribe", "ping", "pong", "complete", "next", "error", "x"])},
        optional={"id": st.sampled_from(["1", "2", ""]) | JSON_VALUES, "payload": REQUESTS | JSON_VALUES},
    ).map(json.dumps),
    max_size=8,
)
CLOSE_CODES = {4400, 4401, 4403, 4408, 4409, 4429, 1009}


def test_no_messages_make_a_socket_drop_without_a_code(server: Server, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=SLOW)
    @given(messages=MESSAGES, introduced=st.booleans())
    def attack(messages: list[str | bytes], introduced: bool) -> None:
        asyncio.run(_converse(server, messages, introduced))

    faults_before = server.log.count('"fault"')
    attack()
    assert server.client.get("/readyz").status_code == 200
    assert server.log.count('"fault"') == faults_before


async def _converse(server: Server, messages: list[str | bytes], introduced: bool) -> None:
    """Send the messages; the server answers to the end, or closes with a code of the protocol."""
    opening = connect_socket(server, server.token("1")) if introduced else open_socket(server)
    async with opening as peer:
        try:
            for message in messages:
                await peer.connection.send(message)
            await peer.connection.send(json.dumps({"type": "ping"}))
            while (await peer.receive())["type"] != "pong":
                pass
        except ConnectionClosed:
            assert peer.connection.close_code in CLOSE_CODES


async def test_a_flood_of_sockets_that_vanish_leaves_nothing_behind(server: Server) -> None:
    async def vanish() -> None:
        async with connect_socket(server, server.token("1")) as peer:
            for number in range(20):
                await peer.subscribe(WATCH, op=str(number))
            with suppress(ConnectionClosed):  # 1013, where the machine is too slow for all these watches
                await peer.receive()
            peer.connection.transport.abort()

    await asyncio.gather(*(vanish() for _ in range(20)))

    assert server.client.get("/readyz").status_code == 200
    async with connect_socket(server, server.token("1")) as peer:
        assert await peer.is_alive()
