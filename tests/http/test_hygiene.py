"""Headers of every response, accepted bodies, and the proxies trusted to report a client's address."""

import gzip
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, error_code, run_server

BODY = json.dumps({"query": "{ viewer { id } }"}).encode()
JSON = {"content-type": "application/json"}
RATES: dict[str, Any] = {"rate_per_address": 1, "burst_per_address": 40}


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server that trusts proxies on this machine."""
    with run_server(tmp_path_factory.mktemp("proxied"), trusted_proxies="10.0.0.0/8, 127.0.0.1", **RATES) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/graphql"),
        ("POST", "/graphql"),
        ("OPTIONS", "/graphql"),
        ("PUT", "/graphql"),
        ("GET", "/livez"),
        ("GET", "/metrics"),
        ("GET", "/schema.graphql"),
        ("GET", "/resumable.js"),
        ("GET", "/not-there"),
    ],
)
def test_every_response_forbids_content_sniffing_and_referrers(server: Server, method: str, path: str) -> None:
    headers = server.client.request(method, path, headers={"accept": "text/html,*/*"}).headers
    assert (headers.get_list("x-content-type-options"), headers.get_list("referrer-policy")) == (
        ["nosniff"],
        ["no-referrer"],
    )


def test_responses_of_the_fast_lane_have_the_same_headers(server: Server) -> None:
    headers = server.post("{ viewer { id } }", server.token("7")).headers
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_a_page_cannot_be_framed_and_shares_no_window(server: Server) -> None:
    headers = server.client.get("/", headers={"accept": "text/html"}).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/graphql", "/graphql?long=way"])
@pytest.mark.parametrize("body", [gzip.compress(BODY, mtime=0), BODY], ids=["packed", "plain"])
@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
def test_a_body_with_a_content_encoding_is_refused(server: Server, path: str, body: bytes, encoding: str) -> None:
    headers = {**JSON, "content-encoding": encoding, **bearer(server.token("7"))}
    server.client.post(path, content=BODY, headers={**JSON, **bearer(server.token("7"))})
    refused = server.client.post(path, content=body, headers=headers)
    assert (refused.status_code, error_code(refused)) == (415, "BAD_REQUEST")


def test_a_body_with_the_identity_encoding_is_accepted(server: Server) -> None:
    headers = {**JSON, "content-encoding": "identity", **bearer(server.token("7"))}
    assert server.client.post("/graphql", content=BODY, headers=headers).json() == {"data": {"viewer": {"id": "7"}}}


def test_a_chunked_body_is_accepted(server: Server) -> None:
    chunks = (BODY[at : at + 5] for at in range(0, len(BODY), 5))
    headers = {**JSON, **bearer(server.token("7"))}
    assert server.client.post("/graphql", content=chunks, headers=headers).json() == {"data": {"viewer": {"id": "7"}}}


def spend(server: Server, address: str) -> list[int]:
    """The statuses of requests with bad tokens that a proxy forwards for an address. The budget allows two."""
    headers = {"x-forwarded-for": address, "authorization": f"Bearer {fresh_id()}"}
    return [server.client.get("/graphql?query={__typename}", headers=headers).status_code for _ in range(3)]


def test_a_trusted_proxy_determines_the_client_address(behind_proxy: Server) -> None:
    assert spend(behind_proxy, "203.0.113.1") == [401, 401, 429]
    assert spend(behind_proxy, "203.0.113.2") == [401, 401, 429]


def test_forwarded_headers_of_the_client_are_not_trusted(behind_proxy: Server) -> None:
    for forged in ("198.51.100.1", "198.51.100.2"):
        spend(behind_proxy, f"{forged}, 203.0.113.3, 10.1.1.1")
    assert spend(behind_proxy, "203.0.113.3") == [429] * 3


def test_without_a_trusted_proxy_the_forwarded_header_is_ignored(tmp_path: Path) -> None:
    with run_server(tmp_path, **RATES) as server:
        assert spend(server, "203.0.113.1") == [401, 401, 429]
        assert spend(server, "203.0.113.2") == [429] * 3
