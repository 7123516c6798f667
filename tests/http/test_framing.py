"""The body of a request is read with it, whatever upgrade the request offers, or the connection is closed."""

import json

import pytest

from tests.harness.raw_connection import Response, open_connection, operation, parse_responses, request, upgrade
from tests.harness.scenario import fresh_id
from tests.harness.server import Server

LIVEZ, LAST = request(), request("GET", "/livez", "connection: close")
JSON = "content-type: application/json"
VIEWER = b'{"query":"{viewer{id}}"}'
IN_CHUNKS = b"%x;a=b\r\n%b\r\n0\r\nx: y\r\n\r\n" % (len(VIEWER), VIEWER)
UPGRADES = {
    "h2c": ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAEAAEAAAAIAAAAB"),
    "TLS": ("connection: upgrade", "upgrade: TLS/1.2"),
    "a list": ("connection: Upgrade", "upgrade: h2c, websocket"),
    "two lines": ("upgrade: websocket", "upgrade: foo", "connection: Upgrade"),
}


async def _responses_to(server: Server, *pieces: bytes) -> list[Response]:
    async with open_connection(server.port) as client:
        await client.send(*pieces)
        return parse_responses(await client.read_to_end())


def _viewers(found: list[Response]) -> list[str]:
    return [json.loads(answer.body)["data"]["viewer"]["id"] for answer in found]


@pytest.mark.parametrize("offer", UPGRADES)
async def test_an_unsupported_upgrade_is_ignored_and_the_body_is_read(server: Server, offer: str) -> None:
    tenant = fresh_id()
    who = (JSON, f"authorization: Bearer {server.token(tenant)}", *UPGRADES[offer])
    sized = request("POST", "/graphql", *who, f"content-length: {len(VIEWER)}")
    chunked = request("POST", "/graphql", *who, "transfer-encoding: chunked")
    found = [
        *await _responses_to(server, sized + VIEWER + sized + VIEWER + chunked + IN_CHUNKS + LAST),
        *await _responses_to(server, sized, VIEWER, chunked, IN_CHUNKS[:9], IN_CHUNKS[9:], LAST),
    ]
    assert [answer.status for answer in found] == [200] * 7
    assert _viewers([*found[:3], *found[4:6]]) == [tenant] * 5


async def test_the_first_request_of_javas_client_over_plain_http_gets_a_response(server: Server) -> None:
    tenant = fresh_id()
    head = (
        f"POST /graphql HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: {len(VIEWER)}\r\n"
        "Host: 127.0.0.1\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\nUpgrade: h2c\r\n"
        f"User-Agent: Java-http-client/21\r\nAuthorization: Bearer {server.token(tenant)}\r\n"
        "Content-Type: application/json\r\n\r\n"
    )
    async with open_connection(server.port) as client:
        await client.send(head.encode(), VIEWER)
        first = await client.read_response()
        await client.send(head.encode() + VIEWER)
        assert _viewers([first, await client.read_response()]) == [tenant] * 2


@pytest.mark.parametrize("offer", UPGRADES)
async def test_a_request_in_the_body_of_another_is_not_executed(server: Server, offer: str) -> None:
    token = server.token(fresh_id())
    body = b"\r\n" * 9 + _registers(token)
    size = f"content-length: {len(body)}"
    for sent in (size, f"{size}\r\nexpect: 100-continue"):
        for method in ("POST", "DELETE", "GET"):
            await _responses_to(server, request(method, "/graphql", JSON, *UPGRADES[offer], sent), body + LAST)
    assert _images(server, token) == 0


async def test_connect_is_refused(server: Server) -> None:
    token = server.token(fresh_id())
    [refused] = await _responses_to(server, request("CONNECT", "here:80") + _registers(token))
    assert (refused.status, refused.headers["connection"]) == (405, "close")
    assert "POST" in refused.headers["allow"]
    assert _images(server, token) == 0


async def test_an_upgrade_of_http_1_0_is_ignored(server: Server) -> None:
    offered = upgrade().replace(b"HTTP/1.1", b"HTTP/1.0")
    [refused] = await _responses_to(server, offered)
    assert refused.status == 400


async def test_the_last_request_of_a_connection_may_offer_an_upgrade_too(server: Server) -> None:
    offer = ("connection: close, Upgrade", "upgrade: h2c", f"content-length: {len(VIEWER)}", JSON)
    [answer] = await _responses_to(server, request("POST", "/graphql", *offer), VIEWER)
    assert answer.status == 200


async def test_bytes_after_the_last_request_of_a_connection_are_not_executed(server: Server) -> None:
    token = server.token(fresh_id())
    who = f"authorization: Bearer {token}"
    for last in (operation("{ viewer { id } }", who, "connection: close"), LAST):
        [answer] = await _responses_to(server, last + _registers(token))
        assert answer.status == 200
    assert _images(server, token) == 0


async def test_a_connection_closes_after_a_response_sent_before_100_continue(server: Server) -> None:
    token = server.token(fresh_id())
    expecting = request("DELETE", "/graphql", "expect: 100-continue", "content-length: 9")
    [refused] = await _responses_to(server, expecting, _registers(token))
    assert (refused.status, refused.headers["connection"]) == (405, "close")
    assert _images(server, token) == 0


async def test_a_connection_stays_open_after_100_continue(server: Server) -> None:
    message = operation("{ __typename }", "expect: 100-continue")
    head, end, body = message.partition(b"\r\n\r\n")
    async with open_connection(server.port) as client:
        await client.send(head + end)
        assert (await client.read_response()).status == 100
        await client.send(body)
        assert (await client.read_response()).headers.get("connection") != "close"
        await client.send(LIVEZ)
        assert (await client.read_response()).status == 200


def _registers(token: str) -> bytes:
    query = 'mutation { registerImage(input: {name: "hidden", origin: SNAPSHOT, serverId: "s"}) { image { id } } }'
    return operation(query, f"authorization: Bearer {token}")


def _images(server: Server, token: str) -> int:
    return server.data("{ images { totalCount } }", token)["images"]["totalCount"]


async def test_the_hidden_request_would_be_executed_by_itself(server: Server) -> None:
    token = server.token(fresh_id())
    await _responses_to(server, _registers(token) + LAST)
    assert _images(server, token) == 1
