"""The balancer of the compose file, with its own configuration, in front of two workers on one PostgreSQL."""

import asyncio
import json
from collections.abc import Generator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Event, Thread

import httpx2
import pytest

from app.errors import ErrorCode
from tests.harness import dashboards
from tests.harness.balancer import WORKERS, Balancer, reason_to_skip, run_balancer
from tests.harness.databases import PostgresDatabases
from tests.harness.fleet import Fleet, run_fleet
from tests.harness.kernel import free_port
from tests.harness.node import Run
from tests.harness.resuming_clients import UNTIL, next_item, remaining_items, run_watcher
from tests.harness.server import bearer, error_code, run_server
from tests.harness.sockets import connect_socket, open_socket
from tests.harness.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(bool(reason_to_skip()), reason=str(reason_to_skip())),
]


@pytest.fixture(scope="module")
def both(postgres_databases: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory) -> Generator[Fleet]:
    with run_fleet(tmp_path_factory.mktemp("fleet"), postgres_databases.fresh()) as found:
        yield found


def test_a_rolling_restart_loses_no_watch_and_no_request(node: Run, both: Fleet, tmp_path: Path) -> None:
    balancer = both.balancer
    tokens = tmp_path / "token"
    tokens.write_text(owner := balancer.token("1"))
    image = balancer.register(owner)
    offered: list[str] = []

    def offer(consumer: str) -> None:
        balancer.do("offerImage", owner, imageId=image, tenantIds=[consumer])
        balancer.do("revokeMember", owner, imageId=image, tenantId=consumer)
        offered.append(consumer)

    with ExitStack() as held:
        clients = [
            held.enter_context(run_watcher(client, balancer, tokens, balancer.ws_url))
            for client in ("graphql-ws", "graphql-ws", "graphql-sse", "python")
        ]
        for client in clients:
            assert next_item(client)["__typename"] == "WatchBookmark"
        failed = held.enter_context(continuous_requests(balancer, owner))
        numbers = count(10)
        for name in WORKERS:
            ending = Thread(target=both.stop, args=[name])
            ending.start()
            while ending.is_alive():
                offer(str(next(numbers)))
            both.start(name)
            balancer.wait_for_workers(*WORKERS)
        offer(UNTIL)
        received = [
            [item for item in remaining_items(client) if item["__typename"] == "MemberStatusChanged"]
            for client in clients
        ]

    for items in received:
        assert [item["tenant"]["id"] for item in items if item["kind"] == "OFFERED"] == offered
        assert len({item["cursor"] for item in items}) == len(items)
    assert len(offered) > len(WORKERS), "no offer was made while a worker ended"
    assert failed == []


@contextmanager
def continuous_requests(balancer: Balancer, token: str) -> Generator[list[str]]:
    """Run clients that send requests without a pause, each on one connection, and collect the failed responses."""
    failed: list[str] = []
    over = Event()

    def ask() -> None:
        with httpx2.Client(base_url=balancer.base, timeout=20, headers=bearer(token)) as client:
            while not over.is_set():
                try:
                    answer = client.post("/graphql", json={"query": "{ viewer { id } }"})
                    if answer.status_code != 200 or "errors" in answer.json():
                        failed.append(answer.text)
                except httpx2.TransportError as error:
                    failed.append(repr(error))

    crowd = [Thread(target=ask) for _ in range(12)]
    for one in crowd:
        one.start()
    try:
        yield failed
    finally:
        over.set()
        for one in crowd:
            one.join()


async def test_sockets_of_a_stopping_worker_get_its_close_code_and_others_stay_open(both: Fleet) -> None:
    async with AsyncExitStack() as held:
        peers = [
            await held.enter_async_context(connect_socket(both.balancer, both.balancer.token("2"))) for _ in range(6)
        ]
        assert await asyncio.to_thread(both.stop, "gateway-a") == 0
        alive = [peer for peer in peers if peer.connection.close_code is None]
        gone = [peer.connection.close_code for peer in peers if peer not in alive]
        await asyncio.to_thread(both.start, "gateway-a")
        await asyncio.to_thread(both.balancer.wait_for_workers, *WORKERS)

        assert gone == [1012] * 3
        assert [await peer.is_alive() for peer in alive] == [True] * 3


@pytest.mark.parametrize(("token", "said", "code"), [("nonsense", None, 4401), (None, "no json", 4400)])
async def test_refusals_reach_the_client_with_their_close_code(
    both: Fleet, token: str | None, said: str | None, code: int
) -> None:
    async with open_socket(both.balancer) as peer:
        await (peer.init(token) if said is None else peer.send(said))
        assert await peer.close_code() == code


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/%6detrics", "/metric%73?x=1", "//metrics", "/./METRICS"])
def test_the_metrics_are_not_public(both: Fleet, path: str) -> None:
    # The client would parse two slashes as the start of a host name.
    assert both.balancer.client.get("/", extensions={"target": path.encode()}).status_code == 404


def test_every_metric_of_the_dashboard_and_the_alerts_is_served(both: Fleet) -> None:
    served = [both.balancer.metrics(), *(worker.client.get("/metrics").text for worker in both.workers.values())]

    asked = dashboards.names_queried() - dashboards.names_of_cloud()
    assert len(asked) > 30
    assert asked - set().union(*map(dashboards.names_served, served)) == set()


def test_forwarded_headers_of_a_client_are_not_passed_on(tmp_path: Path) -> None:
    seen: list[dict[str, list[str]]] = []

    class Worker(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/readyz":
                seen.append({name.lower(): self.headers.get_all(name) or [] for name in self.headers})
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Worker) as server:
        Thread(target=server.serve_forever).start()
        with run_balancer(tmp_path, [server.server_port, free_port()]) as balancer:
            balancer.wait_for_workers("gateway-a")
            lies = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "Forwarded": "for=6.6.6.6"}
            balancer.client.get("/", headers=[*lies.items(), ("X-Forwarded-For", "7.7.7.7")])
        server.shutdown()

    (headers,) = seen
    assert headers["x-forwarded-for"] == ["127.0.0.1"]
    assert headers["x-forwarded-proto"] == ["http"]
    assert "forwarded" not in headers


def test_requests_are_charged_to_the_client_address_and_not_to_the_balancers(tmp_path: Path) -> None:
    (folder := tmp_path / "worker").mkdir()
    with (
        run_server(folder, trusted_proxies="127.0.0.1", rate_per_address=1, burst_per_address=20) as worker,
        run_balancer(tmp_path, [worker.port, free_port()]) as balancer,
        httpx2.Client(transport=httpx2.HTTPTransport(local_address="127.0.0.2")) as other,
    ):
        balancer.wait_for_workers("gateway-a")
        spent = [balancer.post("{ __typename }").status_code for _ in range(60)]
        of_another = other.post(balancer.url, json={"query": "{ __typename }"}).status_code

    assert (spent[0], spent[-1], of_another) == (200, 429, 200)


def test_without_a_worker_the_response_is_json_and_says_when_to_retry(tmp_path: Path) -> None:
    with run_balancer(tmp_path, [free_port(), free_port()]) as balancer:
        balancer.wait_for_workers()
        answer = balancer.post("{ viewer { id } }")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/graphql-response+json"
    assert error_code(answer) == ErrorCode.UNAVAILABLE


async def test_the_log_of_the_balancer_is_json_without_the_variables_of_a_query(both: Fleet) -> None:
    both.balancer.get('query($id: ID = "\\"") { image(id: $id) { id } }')
    raw = HTTPConnection("127.0.0.1", both.balancer.port)
    raw.request("GET", '/"quoted\\"')  # A correct client would send %22.
    raw.getresponse().read()
    raw.close()

    def paths() -> set[str]:
        lines = both.balancer.log.splitlines()
        return {json.loads(line)["path"] for line in lines if line.startswith("{")}

    await wait_until(lambda: {"/graphql", "/#22quoted\\#22"} <= paths())
    assert not any("?" in path for path in paths())
