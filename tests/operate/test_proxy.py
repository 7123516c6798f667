"""TLS and a proxy with docker/nginx.conf: it forwards all three transports, and hides private paths."""

import json
import re
import ssl
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from app.settings import Settings
from tests.harness import nginx, operations
from tests.harness.balancer import CONFIGURATION
from tests.harness.raw_connection import open_connection, parse_responses, request
from tests.harness.readme import NGINX
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, run_server
from tests.harness.sockets import connect_socket
from tests.harness.waiting import wait_until
from tests.http.test_sse import EVENTS, events

pytestmark = pytest.mark.slow


class Proxied:
    def __init__(self, server: Server, port: int, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.trust = ssl.create_default_context(cafile=str(folder / "gateway.crt"))
        self.base = f"https://localhost:{port}"
        self.client = httpx2.Client(base_url=self.base, verify=self.trust, timeout=20)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxied]:
    if (reason := nginx.reason_to_skip()) is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("nginx")
    with (
        run_server(tmp_path_factory.mktemp("behind"), bookmark_seconds=1, trusted_proxies="127.0.0.1") as server,
        nginx.run_nginx(server, folder) as port,
    ):
        found = Proxied(server, port, folder)
        with found.client:
            yield found


async def test_a_query_is_forwarded_and_logged_with_its_request_id_but_without_its_variables(
    proxied: Proxied,
) -> None:
    tenant = fresh_id()
    token = proxied.server.token(tenant)
    parameters = {"query": "query($id: ID!) { image(id: $id) { id } }", "variables": json.dumps({"id": tenant})}
    answer = proxied.client.get("/graphql", params=parameters, headers=bearer(token))

    assert answer.json() == {"data": {"image": None}}
    log = proxied.folder / "gateway.log"
    await wait_until(lambda: answer.headers["x-request-id"] in log.read_text())
    assert tenant not in log.read_text()


async def test_a_websocket_is_forwarded(proxied: Proxied) -> None:
    plain = proxied.server.ws_url
    proxied.server.ws_url = proxied.base.replace("https", "wss") + "/graphql"
    try:
        async with connect_socket(proxied.server, proxied.server.token(fresh_id()), ssl=proxied.trust) as peer:
            await peer.subscribe(operations.WATCH)
            assert [(await peer.next_item())["__typename"] for _ in range(2)] == ["WatchBookmark"] * 2
    finally:
        proxied.server.ws_url = plain


def test_events_are_forwarded_without_buffering(proxied: Proxied) -> None:
    headers = {"accept": EVENTS, **bearer(proxied.server.token(fresh_id()))}
    with proxied.client.stream("POST", "/graphql", json={"query": operations.WATCH}, headers=headers) as response:
        first = next(events(response))

    assert first["event"] == "next"


FIGURES = [
    *("/metrics", "/metrics/", "/%6detrics", "/METRICS", "//metrics", "/./metrics", "/x/../metrics", "/%2e/metrics"),
    *("/%2Fmetrics", "/metrics?x", "/metrics%0a", "/metrics%0d%0a", "/metrics%00", "/metrics%09", "/metrics%20"),
    *("/metrics;x", "/metrics/.", "/x%2f..%2fmetrics", "/metrics%c2%85", "https://localhost/metrics"),
]


@pytest.mark.parametrize("path", FIGURES)
async def test_the_metrics_are_not_forwarded(proxied: Proxied, path: str) -> None:
    async with open_connection(urlsplit(proxied.base).port or 0, proxied.trust) as client:
        await client.send(request("GET", path, "connection: close"))
        [refused] = parse_responses(await client.read_to_end())
    assert refused.status in (400, 404)
    assert b"image_gateway" not in refused.body
    assert "x-request-id" not in refused.headers


def test_the_health_check_is_public(proxied: Proxied) -> None:
    assert proxied.client.get("/livez").status_code == 200


def test_the_gateway_keeps_connections_open_for_longer_than_the_documented_proxies() -> None:
    keeps = Settings.model_fields["keep_alive_seconds"].default
    of_nginx = re.search(r"keepalive_timeout (\d+)s", NGINX.read_text())
    of_haproxy = re.search(r"timeout http-keep-alive (\d+)s", CONFIGURATION.read_text())
    assert of_nginx
    assert of_haproxy
    assert keeps >= 1.25 * max(int(of_nginx[1]), int(of_haproxy[1]))
