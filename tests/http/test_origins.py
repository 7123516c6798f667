"""CORS: pages of listed origins may send requests on every transport, and others may not."""

from collections.abc import Generator
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, error_code, run_server
from tests.harness.sockets import connect_socket, open_socket

CONSOLE, STRANGER = "https://console.example.org", "https://stranger.example.org"
ALLOWED, EXPOSED = "access-control-allow-origin", "access-control-expose-headers"
VIEWER = "{ viewer { id } }"


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server that lists two origins."""
    origins = f"{CONSOLE}, http://localhost:5173"
    with run_server(tmp_path_factory.mktemp("listing"), allowed_origins=origins, rate_per_tenant=1_000) as server:
        yield server


def ask(server: Server, origin: str, method: str = "POST", path: str = "/graphql", **headers: str) -> httpx2.Response:
    sent_headers = {"origin": origin, **bearer(server.token(fresh_id())), **headers}
    sent_headers = {name.replace("_", "-"): value for name, value in sent_headers.items() if value}
    if method == "POST":
        return server.client.post(path, json={"query": VIEWER}, headers=sent_headers)
    return server.client.request(method, path, params={"query": "{ __typename }"}, headers=sent_headers)


def preflight(server: Server, origin: str, method: str = "POST", **headers: str) -> httpx2.Response:
    preflight_headers = {
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type",
    }
    return server.client.options("/graphql", headers={"origin": origin, **preflight_headers, **headers})


@pytest.mark.parametrize("origin", [CONSOLE, "http://localhost:5173"])
def test_a_page_of_a_listed_origin_may_send_requests_and_read_responses(listing: Server, origin: str) -> None:
    allowed = preflight(listing, origin)
    answer = ask(listing, origin)

    assert (allowed.status_code, allowed.headers[ALLOWED]) == (200, origin)
    assert {"authorization", "content-type"} <= set(allowed.headers["access-control-allow-headers"].split(","))
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert (answer.status_code, answer.headers[ALLOWED]) == (200, origin)
    for response in (allowed, answer):
        assert "access-control-allow-credentials" not in response.headers
        assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize("origin", [STRANGER, "null", f"{CONSOLE}.evil.org", "http://console.example.org", "*"])
def test_a_page_of_another_origin_reads_nothing(listing: Server, origin: str) -> None:
    assert preflight(listing, origin).status_code == 400
    for response in (preflight(listing, origin), ask(listing, origin), ask(listing, origin, path="/graphql?a=b")):
        assert ALLOWED not in response.headers


def test_without_the_setting_no_origin_may_read(server: Server) -> None:
    for origin in (CONSOLE, server.base):
        allowed = preflight(server, origin)
        assert (allowed.status_code, ALLOWED in allowed.headers) == (204, False)
        assert ALLOWED not in ask(server, origin).headers


def test_responses_of_the_fast_lane_have_the_headers_of_all_others(listing: Server) -> None:
    short, long = ask(listing, CONSOLE), ask(listing, CONSOLE, path="/graphql?long=way")
    for name in ("vary", ALLOWED, EXPOSED):
        assert short.headers[name] == long.headers[name]
    assert {"X-Request-ID", "RateLimit", "RateLimit-Policy", "Retry-After"} <= set(short.headers[EXPOSED].split(", "))
    assert {"x-request-id", "ratelimit"} <= set(short.headers)


def test_a_cached_request_does_not_serve_another_origin(listing: Server) -> None:
    token = listing.token(fresh_id())
    sent_headers: list[str | None] = []
    for origin in (CONSOLE, STRANGER, "", "http://localhost:5173"):
        headers = bearer(token) | ({"origin": origin} if origin else {})
        sent_headers.append(
            listing.client.post("/graphql", json={"query": VIEWER}, headers=headers).headers.get(ALLOWED)
        )
    assert sent_headers == [CONSOLE, None, None, "http://localhost:5173"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer nonsense"}, 401),
        ({"accept": "text/html"}, 406),
        ({"content_type": "text/plain"}, 415),
        ({"content_encoding": "gzip"}, 415),
    ],
)
def test_a_page_can_read_a_refusal(listing: Server, headers: dict[str, str], status: int) -> None:
    refused = ask(listing, CONSOLE, **headers)
    assert (refused.status_code, refused.headers[ALLOWED]) == (status, CONSOLE)
    assert refused.headers["x-request-id"]


def test_a_page_can_read_that_its_tenant_is_rate_limited(tmp_path: Any) -> None:
    with run_server(tmp_path, allowed_origins=CONSOLE, rate_per_tenant=1, burst_per_tenant=1) as server:
        headers = {"origin": CONSOLE, **bearer(server.token("7"))}
        for path in ("/graphql", "/graphql?a=b"):
            # On a slow machine, the budget refills meanwhile.
            answers = (server.client.post(path, json={"query": VIEWER}, headers=headers) for _ in range(100))
            refused = next(answer for answer in answers if answer.status_code == 429)
            assert refused.headers[ALLOWED] == CONSOLE


def test_events_can_be_read_by_a_listed_origin(listing: Server) -> None:
    answer = ask(listing, CONSOLE, accept="text/event-stream")
    assert (answer.status_code, answer.headers[ALLOWED]) == (200, CONSOLE)
    assert "event: complete" in answer.text


@pytest.mark.parametrize("origin", [CONSOLE, None])
async def test_a_websocket_of_a_listed_origin_or_without_an_origin_is_accepted(
    listing: Server, origin: str | None
) -> None:
    async with connect_socket(listing, listing.token("7"), origin=origin) as peer:
        assert await peer.is_alive()


async def test_a_websocket_of_the_same_origin_is_accepted(server: Server) -> None:
    async with connect_socket(server, server.token("7"), origin=server.base) as peer:
        assert await peer.is_alive()


@pytest.mark.parametrize("origin", [STRANGER, "null", "http://127.0.0.1:1", "nonsense"])
async def test_the_handshake_of_a_websocket_of_another_origin_gets_403(listing: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(listing, origin=origin):
            pass
    assert refused.value.response.status_code == 403


FOREIGN: list[dict[str, str]] = [
    {"origin": STRANGER},
    {"origin": "null"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"},
    {"sec_fetch_site": "cross-site", "content_type": "text/plain"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_foreign_get_without_a_preflight_is_refused(listing: Server, method: str, headers: dict[str, str]) -> None:
    refused = ask(listing, method=method, **{"origin": "", "authorization": "", **headers})
    assert refused.status_code == 403
    if method == "GET":
        assert error_code(refused) == "BAD_REQUEST"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": CONSOLE},
        {"origin": CONSOLE, "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "cross-site", "apollo_require_preflight": "true"},
        {"sec_fetch_site": "cross-site", "x_apollo_operation_name": "X"},
        {"sec_fetch_site": "cross-site", "content_type": "application/json"},
    ],
)
def test_a_get_of_programs_own_pages_and_preflighted_pages_is_executed(
    listing: Server, headers: dict[str, str]
) -> None:
    assert ask(listing, method="GET", **{"origin": "", "authorization": "", **headers}).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_of_a_foreign_page_changes_nothing(listing: Server, content_type: str) -> None:
    refused = ask(listing, STRANGER, content_type=content_type)
    assert (refused.status_code, error_code(refused)) == (415, "BAD_REQUEST")
