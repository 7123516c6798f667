"""graphql-transport-ws: which messages violate the protocol, and which do not."""

import asyncio
from pathlib import Path

import pytest

from tests.harness.operations import WATCH
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, run_server
from tests.harness.sockets import connect_socket, open_socket

QUERY = "{ __typename }"
MALFORMED: dict[str, object] = {
    "text that is not JSON": "hello",
    "empty text": "",
    "JSON in a binary frame": b'{"type": "ping"}',
    "deep nesting": "[" * 60_000,
    "a number without end": '{"type": "ping", "payload": {"a": ' + "9" * 5_000 + "}}",
    "a list": [],
    "a string": '"ping"',
    "null": "null",
    "no type": {},
    "an unknown type": {"type": "start"},
    "a type that is a number": {"type": 1},
    "a type that is a list": {"type": ["ping"]},
    "a type that is an object": {"type": {}},
    "a payload that is a string": {"type": "connection_init", "payload": "x"},
    "a ping with a payload that is a list": {"type": "ping", "payload": []},
    "a subscription without an id": {"type": "subscribe", "payload": {"query": QUERY}},
    "a subscription with an empty id": {"type": "subscribe", "id": "", "payload": {"query": QUERY}},
    "a subscription with a number for an id": {"type": "subscribe", "id": 1, "payload": {"query": QUERY}},
    "a subscription with a list for an id": {"type": "subscribe", "id": ["1"], "payload": {"query": QUERY}},
    "a subscription without a payload": {"type": "subscribe", "id": "1"},
    "a subscription without a query": {"type": "subscribe", "id": "1", "payload": {}},
    "a query that is a number": {"type": "subscribe", "id": "1", "payload": {"query": 1}},
    "variables in a list": {"type": "subscribe", "id": "1", "payload": {"query": QUERY, "variables": []}},
    "an operation name that is a number": {
        "type": "subscribe",
        "id": "1",
        "payload": {"query": QUERY, "operationName": 1},
    },
    "a completion without an id": {"type": "complete"},
    "a message of the server's": {"type": "connection_ack"},
}

REFUSED: dict[str, tuple[str, str]] = {
    "a syntax error": ("{", "GRAPHQL_PARSE_FAILED"),
    "an empty document": ("", "BAD_REQUEST"),
    "deep selections": ("{ a" * 3_000 + "}" * 3_000, "GRAPHQL_PARSE_FAILED"),
    "an unknown field": ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
    "an unknown field of a subscription": ("subscription { nope }", "GRAPHQL_VALIDATION_FAILED"),
    "a number without end": ("{ images(first: " + "9" * 5_000 + ") { totalCount } }", "GRAPHQL_VALIDATION_FAILED"),
    "a variable that is missing": ("query($id: ID!) { image(id: $id) { id } }", "BAD_USER_INPUT"),
    "several operations": ("query A { __typename } query B { __typename }", "BAD_REQUEST"),
    "no operation": ("fragment F on Query { __typename }", "BAD_REQUEST"),
    "a cursor that is made up": ('subscription { watchOffers(after: "x") { cursor } }', "CURSOR_INVALID"),
}


@pytest.mark.parametrize("kind", MALFORMED)
async def test_a_malformed_message_closes_the_socket_with_4400(server: Server, kind: str) -> None:
    async with connect_socket(server, server.token(fresh_id())) as peer:
        await peer.send(MALFORMED[kind])
        assert await peer.close_code() == 4400


async def test_a_message_that_is_too_big_closes_the_socket_with_1009(server: Server) -> None:
    async with connect_socket(server) as peer:
        await peer.send("x" * 70_000)
        assert await peer.close_code() == 1009


@pytest.mark.parametrize("kind", REFUSED)
async def test_a_refused_operation_leaves_the_socket_open(server: Server, kind: str) -> None:
    document, code = REFUSED[kind]
    async with connect_socket(server, server.token(fresh_id())) as peer:
        for _ in range(2):
            (message,) = await peer.run(document)
            assert message["type"] == "error"
            assert [error["extensions"]["code"] for error in message["payload"]] == [code]
            assert message["payload"][0]["extensions"]["requestId"]
        assert await peer.is_alive()


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",), ("graphql-sse",)])
async def test_a_socket_without_our_protocol_is_closed_with_4406(server: Server, protocols: tuple[str, ...]) -> None:
    async with open_socket(server, protocols) as peer:
        assert peer.connection.subprotocol is None
        assert await peer.close_code() == 4406


async def test_a_client_that_knows_both_protocols_gets_the_newer_one(server: Server) -> None:
    async with open_socket(server, ("graphql-ws", "graphql-transport-ws")) as peer:
        assert peer.connection.subprotocol == "graphql-transport-ws"


async def test_a_client_without_connection_init_in_time_is_closed_with_4408(tmp_path: Path) -> None:
    with run_server(tmp_path, connection_init_seconds=0.2) as server:
        async with open_socket(server) as peer:
            assert await peer.close_code() == 4408


async def test_a_second_connection_init_is_closed_with_4429(server: Server) -> None:
    async with connect_socket(server) as peer:
        await peer.init()
        assert await peer.close_code() == 4429


async def test_an_operation_before_connection_init_is_closed_with_4401(server: Server) -> None:
    async with open_socket(server) as peer:
        await peer.subscribe(QUERY)
        assert await peer.close_code() == 4401


async def test_an_id_that_is_in_use_is_closed_with_4409(server: Server) -> None:
    async with connect_socket(server, server.token(fresh_id())) as peer:
        await peer.subscribe(WATCH)
        await peer.subscribe(QUERY)
        assert await peer.close_code() == 4409


async def test_an_id_can_be_reused_once_its_operation_is_over(server: Server) -> None:
    async with connect_socket(server, server.token(fresh_id())) as peer:
        for _ in range(3):
            assert [message["type"] for message in await peer.run(QUERY)] == ["next", "complete"]


async def test_a_watch_that_the_client_completes_frees_its_id(server: Server) -> None:
    async with connect_socket(server, server.token(fresh_id())) as peer:
        await peer.subscribe(WATCH)
        assert (await peer.next_item())["__typename"] == "WatchBookmark"
        await peer.send({"type": "complete", "id": "1"})
        assert [message["type"] for message in await peer.run(QUERY)] == ["next", "complete"]


async def test_completing_an_unknown_operation_is_ignored(server: Server) -> None:
    async with connect_socket(server) as peer:
        await peer.send({"type": "complete", "id": "unknown"})
        assert await peer.is_alive()


@pytest.mark.parametrize("message", [{"type": "ping"}, {"type": "ping", "payload": {"a": 1}}])
async def test_a_ping_gets_a_pong_even_before_connection_init(server: Server, message: dict[str, object]) -> None:
    async with open_socket(server) as peer:
        await peer.send(message)
        assert (await peer.receive())["type"] == "pong"


async def test_one_operation_too_many_is_refused_and_the_others_continue(tmp_path: Path) -> None:
    with run_server(tmp_path, max_operations_per_socket=2) as server:
        async with connect_socket(server, server.token(fresh_id())) as peer:
            for op in ("1", "2", "3"):
                await peer.subscribe(WATCH, op)
            received = {message["id"]: message for message in [await peer.receive() for _ in range(3)]}
            assert [received[op]["type"] for op in ("1", "2", "3")] == ["next", "next", "error"]
            assert received["3"]["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
            await peer.send({"type": "complete", "id": "1"})
            assert await peer.is_alive()


async def test_operations_on_different_sockets_run_concurrently(server: Server) -> None:
    async with connect_socket(server) as idle, connect_socket(server) as first, connect_socket(server) as second:
        assert all(await asyncio.gather(first.is_alive(), second.is_alive()))
        assert await idle.is_alive()


async def test_no_client_has_made_the_server_fail(server: Server) -> None:
    async with connect_socket(server) as peer:
        for message in ({"type": ["ping"]}, {"type": "subscribe", "id": "1", "payload": {"query": "{"}}):
            await peer.send(message)
        assert await peer.close_code() == 4400
    assert "Exception in ASGI application" not in server.log
