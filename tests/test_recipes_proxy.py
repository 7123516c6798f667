"""TLS and a proxy by the README's recipe: the three transports go through it, and what is private stays inside."""

import json
import ssl
from collections.abc import Generator
from pathlib import Path

import httpx2
import pytest

from tests.harness import nginx, operations
from tests.harness.patience import until
from tests.harness.server import Server, bearer, serving
from tests.harness.sockets import connected
from tests.harness.world import fresh_id
from tests.test_http_events import EVENTS, events

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
        serving(tmp_path_factory.mktemp("behind"), bookmark_seconds=1, trusted_proxies="127.0.0.1") as server,
        nginx.proxied(server, folder) as port,
    ):
        found = Proxied(server, port, folder)
        with found.client:
            yield found


async def test_a_query_goes_through_and_its_request_id_is_in_the_log_of_the_proxy_without_its_variables(
    proxied: Proxied,
) -> None:
    tenant = fresh_id()
    token = proxied.server.token(tenant)
    given = {"query": "query($id: ID!) { image(id: $id) { id } }", "variables": json.dumps({"id": tenant})}
    answer = proxied.client.get("/graphql", params=given, headers=bearer(token))

    assert answer.json() == {"data": {"image": None}}
    log = proxied.folder / "gateway.log"
    await until(lambda: answer.headers["x-request-id"] in log.read_text())
    assert tenant not in log.read_text()


async def test_a_websocket_goes_through(proxied: Proxied) -> None:
    plain = proxied.server.ws_url
    proxied.server.ws_url = proxied.base.replace("https", "wss") + "/graphql"
    try:
        async with connected(proxied.server, proxied.server.token(fresh_id()), ssl=proxied.trust) as peer:
            await peer.subscribe(operations.WATCH)
            assert [(await peer.item())["__typename"] for _ in range(2)] == ["WatchBookmark"] * 2
    finally:
        proxied.server.ws_url = plain


def test_events_come_as_they_happen(proxied: Proxied) -> None:
    headers = {"accept": EVENTS, **bearer(proxied.server.token(fresh_id()))}
    with proxied.client.stream("POST", "/graphql", json={"query": operations.WATCH}, headers=headers) as response:
        first = next(events(response))

    assert first["event"] == "next"


def test_the_figures_stay_inside(proxied: Proxied) -> None:
    assert proxied.client.get("/metrics").status_code == 404
    assert proxied.client.get("/livez").status_code == 200
