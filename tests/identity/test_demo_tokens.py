"""Who gets the demo's tokens, and where they count: pages of this machine, and this demo."""

import http.client
from collections.abc import Generator
from pathlib import Path

import httpx2
import pytest

from app.web.browser.loopback import names_loopback
from tests.harness.commands import ServeCommand, error_of, output_of, start_serve
from tests.harness.gateway import SECRET
from tests.harness.server import bearer, run_server

pytestmark = pytest.mark.slow

PATHS = ["/demo", "/demo/tenants", "/demo/main.js"]
VIEWER = "{ viewer { id } }"
OWN = [
    "localhost",
    "LocalHost:8000",
    "localhost.",
    "localhost.:8000",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.3.2.1",
    "[::1]",
    "[::1]:8000",
    "[0:0:0:0:0:0:0:1]",
]
FOREIGN_NAMES = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.nip.io",
    "localhost.evil.example",
    "evil.localhost.example",
    "localhost..",
    "localhost:x",
    "localhost,evil.example",
    "a localhost",
    "localhost evil.example",
    "",
]
FOREIGN_ADDRESSES = [
    "0.0.0.0",
    "0.0.0.0:8000",
    "[::]",
    "10.0.0.1",
    "192.168.1.7:8000",
    "127.0.0.1@evil.example",
    "[::1].nip.io",
    "127.0.0.1.",
    "127.0.0.1:8000:1",
    "[fe80::1]",
    "[::1%25lo]",
    "1\u00b27.0.0.1",
    "127.0.0.256",
    "127.1",
    "2130706433",
    "[127.0.0.1",
]
PROXIES = ["X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServeCommand]:
    """A demo in surroundings that have a secret already."""
    with start_serve(tmp_path_factory.mktemp("demo"), "--demo", "--port", "0", auth_secret=SECRET) as server:
        yield server


def status(server: ServeCommand, path: str, *headers: tuple[str, str], version: int = 11) -> tuple[int, str]:
    """What comes of a request with these headers and no others."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.port), timeout=20)
    connection._http_vsn, connection._http_vsn_str = version, f"HTTP/{version // 10}.{version % 10}"  # pyright: ignore
    try:
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("host", OWN)
def test_pages_under_a_name_of_the_loopback_get_the_demo(demo: ServeCommand, host: str) -> None:
    assert [status(demo, path, ("Host", host))[0] for path in PATHS] == [200, 200, 200]


@pytest.mark.parametrize("host", [*FOREIGN_NAMES, *FOREIGN_ADDRESSES])
def test_pages_whose_name_was_made_to_lead_here_get_nothing_of_it(demo: ServeCommand, host: str) -> None:
    for path in PATHS:
        told, text = status(demo, path, ("Host", host))
        assert told in (400, 403)
        assert "eyJ" not in text
        assert "traceback" not in text.lower()
    assert not names_loopback(host)


@pytest.mark.parametrize("header", PROXIES)
def test_who_comes_through_a_proxy_gets_nothing_of_it(demo: ServeCommand, header: str) -> None:
    for value in ("127.0.0.1", "localhost", "evil.example", ""):
        assert status(demo, "/demo/tenants", ("Host", "localhost"), (header, value))[0] == 403


def test_a_request_that_names_no_host_or_two_gets_nothing_of_it(demo: ServeCommand) -> None:
    two = ("Host", "localhost"), ("Host", "evil.example")
    for headers, version in (((), 10), ((), 11), (two, 11), (tuple(reversed(two)), 11), ((two[0], two[0]), 11)):
        assert status(demo, "/demo/tenants", *headers, version=version)[0] in (400, 403)


@pytest.mark.parametrize(
    ("site", "expected"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_only_own_pages_read_the_tokens_and_any_may_lead_to_the_page(
    demo: ServeCommand, site: str, expected: int
) -> None:
    headers = ("Host", "localhost"), ("Sec-Fetch-Site", site)

    assert (status(demo, "/demo/tenants", *headers)[0], status(demo, "/demo", *headers)[0]) == (expected, 200)


@pytest.mark.parametrize(("host", "mode"), [("localhost", "demo"), ("evil.example", "token")])
def test_graphiql_plays_the_tenants_for_those_who_get_their_tokens(demo: ServeCommand, host: str, mode: str) -> None:
    for path in ("/", "/graphql"):
        told, page = status(demo, path, ("Host", host), ("Accept", "text/html"))
        assert (told, f'data-mode="{mode}"' in page) == (200, True)


def test_the_refusal_says_what_to_do(demo: ServeCommand) -> None:
    _, text = status(demo, "/demo", ("Host", "evil.example"))

    assert "http://localhost" in text
    assert "--demo-public" in text


def test_a_token_of_the_demo_counts_on_no_gateway_with_the_secret_of_its_surroundings(
    demo: ServeCommand, tmp_path: Path
) -> None:
    page = httpx2.get(f"http://{demo.address}/demo/tenants").json()
    with run_server(tmp_path, auth_secret=SECRET) as production:
        for token in (*demo.tokens.values(), *(tenant["token"] for tenant in page)):
            assert production.post(VIEWER, token).status_code == 401
            assert httpx2.post(demo.url, json={"query": VIEWER}, headers=bearer(token)).status_code == 200


def test_a_token_of_the_command_line_counts_in_the_demo_of_its_surroundings(demo: ServeCommand, tmp_path: Path) -> None:
    token = output_of(tmp_path, "token", "--tenant", "77", auth_secret=SECRET).strip()
    answer = httpx2.post(demo.url, json={"query": VIEWER}, headers=bearer(token))

    assert answer.json() == {"data": {"viewer": {"id": "77"}}}


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_demo_listens_on_the_loopback_unless_everyone_may_have_its_tokens(tmp_path: Path, host: str) -> None:
    for given in ({"host": host}, {}):
        arguments = () if given else ("--host", host)
        sentence = error_of(tmp_path, "serve", "--demo", "--port", "0", *arguments, **given)
        assert "--demo-public" in sentence
        assert "--host 127.0.0.1" in sentence


@pytest.mark.parametrize("flags", [("--demo-public",), ("--demo", "--demo-public")])
def test_a_public_demo_answers_under_any_name_and_on_any_address(tmp_path: Path, flags: tuple[str, ...]) -> None:
    with start_serve(tmp_path, *flags, "--port", "0", host="0.0.0.0", auth_secret=None) as server:
        for headers in ([("Host", "evil.example")], [("Host", "demo.example"), ("X-Forwarded-For", "10.0.0.1")]):
            for path in PATHS:
                assert status(server, path, *headers)[0] == 200
        assert "eyJ" in status(server, "/demo/tenants", ("Host", "demo.example"))[1]
