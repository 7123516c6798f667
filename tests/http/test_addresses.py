"""Request URLs: their maximum length, the allowed characters, and the paths of the GraphQL endpoint."""

import json

import pytest

from app.web.server.framing import MAX_URL_BYTES
from app.web.server.refusal import MAX_HEAD_BYTES
from tests.harness.raw_connection import open_connection, parse_responses, request, upgrade
from tests.harness.scenario import fresh_id
from tests.harness.server import Server
from tests.harness.sockets import connect_socket


@pytest.mark.parametrize("more", ["", " HTTP/1.1\r\nhost: here\r\n\r\n"])
async def test_a_url_that_is_too_long_gets_414(server: Server, more: str) -> None:
    async with open_connection(server.port) as client:
        await client.send(b"GET /graphql?", b"x" * (MAX_URL_BYTES + 1) + more.encode())
        [refused] = parse_responses(await client.read_to_end())
    [error] = json.loads(refused.body)["errors"]
    assert (refused.status, error["extensions"]["code"]) == (414, "BAD_REQUEST")
    assert "POST" in error["message"]


async def test_the_longest_url_is_accepted(server: Server) -> None:
    long = "/graphql?query={__typename}&x="
    async with open_connection(server.port) as client:
        await client.send(request("GET", long + "x" * (MAX_URL_BYTES - len(long))))
        assert (await client.read_response()).body == b'{"data":{"__typename":"Query"}}'


@pytest.mark.parametrize("character", ["%00", "%0a", "%0A", "%0d%0a", "%1f", "%7F", "%c2%85", "\t", "\n", "\x7f"])
@pytest.mark.parametrize("path", ["/metrics", "/livez", "/graphql"])
async def test_a_path_with_a_control_character_is_refused(server: Server, path: str, character: str) -> None:
    for request_bytes in (
        request("GET", path + character),
        request("POST", character + path),
        upgrade(path=path + character),
    ):
        async with open_connection(server.port) as client:
            await client.send(request_bytes)
            [refused] = parse_responses(await client.read_to_end())
        assert refused.status == 400


async def test_a_control_character_in_a_query_string_is_allowed(server: Server) -> None:
    assert server.client.get("/graphql?query={__typename}%0a").json() == {"data": {"__typename": "Query"}}


async def test_a_trailing_slash_leads_to_the_same_endpoint(server: Server) -> None:
    tenant = fresh_id()
    headers, path = {"authorization": f"Bearer {server.token(tenant)}"}, "/graphql/"
    request_bytes = {"query": "{ viewer { id } }"}
    found = [
        server.client.post(path, json=request_bytes, headers=headers),
        server.client.post(path, json={"query": "{ viewer { id } offers { totalCount } }"}, headers=headers),
        server.client.get(path, params=request_bytes, headers=headers),
    ]
    assert [answer.json()["data"]["viewer"]["id"] for answer in found] == [tenant] * 3
    plain = server.ws_url
    server.ws_url = f"{plain}/"
    try:
        async with connect_socket(server, server.token(tenant)) as peer:
            assert await peer.is_alive()
    finally:
        server.ws_url = plain


@pytest.mark.parametrize("path", ["/livez/", "/metrics/", "/schema.graphql/", "/static/assets", "/demo/"])
async def test_no_redirect_uses_the_host_sent_by_the_client(server: Server, path: str) -> None:
    answer = server.client.get(path, headers={"host": "evil.example", "x-forwarded-proto": "https"})
    assert (answer.status_code, "location" in answer.headers) == (404, False)


@pytest.mark.parametrize("path", ["/api/graphql", "/subscriptions", "/nothing"])
async def test_a_path_with_nothing_is_404_and_says_where_the_api_is(server: Server, path: str) -> None:
    for sent in (request("POST", path), upgrade(path=path)):
        async with open_connection(server.port) as client:
            await client.send(sent)
            answer = await client.read_response()
        [error] = json.loads(answer.body)["errors"]
        assert (answer.status, error["extensions"]["code"]) == (404, "BAD_REQUEST")
        assert "/graphql" in error["message"]
        assert answer.headers["x-request-id"] == error["extensions"]["requestId"]


@pytest.mark.parametrize("path", ["/graphql", "/livez"])
async def test_headers_that_arrive_at_once_have_a_limit_too(server: Server, path: str) -> None:
    large = request("POST", path, f"x: {'y' * MAX_HEAD_BYTES}", "content-type: application/json", body=b"{}")
    async with open_connection(server.port) as client:
        await client.send(large)
        [refused] = parse_responses(await client.read_to_end())
    assert refused.status == 431
