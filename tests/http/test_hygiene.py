"""What every answer carries, which bodies are taken, and whose word on the client's address is believed."""

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
    """One that believes what is sent from this machine."""
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
def test_no_answer_is_taken_for_what_it_is_not_nor_tells_where_it_led(server: Server, method: str, path: str) -> None:
    headers = server.client.request(method, path, headers={"accept": "text/html,*/*"}).headers
    assert (headers.get_list("x-content-type-options"), headers.get_list("referrer-policy")) == (
        ["nosniff"],
        ["no-referrer"],
    )


def test_the_answers_of_the_short_lane_carry_the_same(server: Server) -> None:
    headers = server.post("{ viewer { id } }", server.token("7")).headers
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_a_page_can_not_be_framed_and_shares_no_window(server: Server) -> None:
    headers = server.client.get("/", headers={"accept": "text/html"}).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/graphql", "/graphql?long=way"])
@pytest.mark.parametrize("body", [gzip.compress(BODY, mtime=0), BODY], ids=["packed", "plain"])
@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
def test_a_body_that_says_it_is_packed_is_refused(server: Server, path: str, body: bytes, encoding: str) -> None:
    headers = {**JSON, "content-encoding": encoding, **bearer(server.token("7"))}
    server.client.post(path, content=BODY, headers={**JSON, **bearer(server.token("7"))})
    refused = server.client.post(path, content=body, headers=headers)
    assert (refused.status_code, error_code(refused)) == (415, "BAD_REQUEST")


def test_a_body_that_says_it_is_not_packed_is_taken(server: Server) -> None:
    headers = {**JSON, "content-encoding": "identity", **bearer(server.token("7"))}
    assert server.client.post("/graphql", content=BODY, headers=headers).json() == {"data": {"viewer": {"id": "7"}}}


def test_a_body_in_chunks_is_taken(server: Server) -> None:
    chunks = (BODY[at : at + 5] for at in range(0, len(BODY), 5))
    headers = {**JSON, **bearer(server.token("7"))}
    assert server.client.post("/graphql", content=chunks, headers=headers).json() == {"data": {"viewer": {"id": "7"}}}


def spend(server: Server, address: str) -> list[int]:
    """The statuses of bad tokens that a proxy passes on for an address, of which two may be sent at once."""
    headers = {"x-forwarded-for": address, "authorization": f"Bearer {fresh_id()}"}
    return [server.client.get("/graphql?query={__typename}", headers=headers).status_code for _ in range(3)]


def test_a_trusted_proxy_says_whose_request_it_is(behind_proxy: Server) -> None:
    assert spend(behind_proxy, "203.0.113.1") == [401, 401, 429]
    assert spend(behind_proxy, "203.0.113.2") == [401, 401, 429]


def test_what_a_client_has_written_before_the_proxy_is_not_believed(behind_proxy: Server) -> None:
    for forged in ("198.51.100.1", "198.51.100.2"):
        spend(behind_proxy, f"{forged}, 203.0.113.3, 10.1.1.1")
    assert spend(behind_proxy, "203.0.113.3") == [429] * 3


def test_without_a_trusted_proxy_nobody_takes_the_address_of_another(tmp_path: Path) -> None:
    with run_server(tmp_path, **RATES) as server:
        assert spend(server, "203.0.113.1") == [401, 401, 429]
        assert spend(server, "203.0.113.2") == [429] * 3
