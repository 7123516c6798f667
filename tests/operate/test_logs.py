"""The log: a line for each operation, without anything that only the client should know."""

from collections.abc import Generator
from hashlib import sha256
from time import perf_counter
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from app.api.schema import build_schema
from app.documents.summaries import Summaries
from app.web.monitoring.operation import HTTP
from app.web.monitoring.operations import Operations
from tests.harness import operations
from tests.harness.gateway import settings_for
from tests.harness.log_lines import find_lines, wait_for_line
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, run_server
from tests.harness.sockets import connect_socket
from tests.http.test_faults import SPOILT, spoil
from tests.http.test_sse import EVENTS, events, stream

POINT = "query Point($id: ID!) { image(id: $id) { id name } }"
PAGES = "query Pages($n: Int!) { images(first: $n) { nodes { id } } }"


@pytest.fixture(scope="module")
def verbose_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server that logs everything."""
    with run_server(tmp_path_factory.mktemp("verbose_server"), operation_log="all", log_level="debug") as server:
        yield server


async def test_an_operation_has_one_line_with_the_fields_for_operators(verbose_server: Server) -> None:
    tenant = fresh_id()
    answer = verbose_server.post(POINT, verbose_server.token(tenant), id=str(uuid4()))

    logged_fields = await wait_for_line(verbose_server, event="operation", request_id=answer.headers["x-request-id"])
    assert logged_fields.pop("duration_ms") > 0
    assert {name: logged_fields[name] for name in logged_fields.keys() - {"timestamp", "event", "request_id"}} == {
        "level": "info",
        "logger": "operations",
        "operation": "Point",
        "kind": "query",
        "document": sha256(POINT.encode()).hexdigest(),
        "tenant": tenant,
        "transport": "http",
        "cost": 3,
        "codes": [],
        "refusals": [],
    }


@pytest.mark.parametrize("named", [{"operationName": "Pages"}, {}], ids=["named", "unnamed"])
@pytest.mark.parametrize("form", ["quick", "long", "socket", "events"])
async def test_every_execution_path_logs_the_line(verbose_server: Server, form: str, named: dict[str, str]) -> None:
    tenant = fresh_id()
    token, body = verbose_server.token(tenant), {"query": PAGES, "variables": {"n": 7}, **named}
    if form == "socket":
        async with connect_socket(verbose_server, token) as peer:
            await peer.send({"type": "subscribe", "id": "1", "payload": body})
            await peer.receive()
    else:
        accept = EVENTS if form == "events" else "*/*"
        # A duplicate header keeps a request out of the fast lane.
        twice = [("x-twice", "1"), ("x-twice", "2")] if form == "long" else []
        headers = [*bearer(token).items(), ("accept", accept), *twice]
        assert verbose_server.client.post("/graphql", json=body, headers=headers).status_code == 200

    logged_fields = await wait_for_line(verbose_server, event="operation", tenant=tenant)
    assert (logged_fields["operation"], logged_fields["kind"], logged_fields["cost"]) == ("Pages", "query", 1 + 7 * 2)
    assert logged_fields["transport"] == {"socket": "websocket"}.get(form, "http")


@pytest.mark.parametrize("form", ["socket", "events"])
async def test_a_watch_is_logged_with_the_operation_name_in_its_document(verbose_server: Server, form: str) -> None:
    tenant, query = fresh_id(), "subscription Inbox { watchOffers(initial: SNAPSHOT) { cursor } }"
    if form == "socket":
        async with connect_socket(verbose_server, verbose_server.token(tenant)) as peer:
            await peer.subscribe(query)
            await wait_for_line(verbose_server, event="watch started", tenant=tenant, operation="Inbox")
    else:
        with stream(verbose_server, query, verbose_server.token(tenant)):
            await wait_for_line(verbose_server, event="watch started", tenant=tenant, operation="Inbox")
        verbose_server.renew_client()

    assert (await wait_for_line(verbose_server, event="operation", tenant=tenant))["operation"] == "Inbox"


async def test_an_invalid_operation_name_is_not_logged(verbose_server: Server) -> None:
    secret, token = uuid4().hex, verbose_server.token(fresh_id())
    for name in (f"\x1b[2J{secret}", f"{secret}\nforged", f"-{secret}", "é" + secret):
        for query in ("{ viewer { id } }", "{ viewer ", "query A { viewer { id } } query B { viewer { id } }"):
            verbose_server.client.post("/graphql", json={"query": query, "operationName": name}, headers=bearer(token))
    long = "N" * 5_000
    answer = verbose_server.post(f"query {long} {{ viewer {{ id }} }}", token)

    logged_fields = await wait_for_line(verbose_server, event="operation", request_id=answer.headers["x-request-id"])
    assert logged_fields["operation"] == long[:100]
    assert secret not in verbose_server.log


async def test_the_line_contains_the_codes_of_errors_and_refusals(verbose_server: Server) -> None:
    token = verbose_server.token(fresh_id())
    broken, unfit = verbose_server.post("{ viewer { ", token), verbose_server.post("{ nothing }", token)
    refused = verbose_server.post(operations.MUTATIONS["acceptOffer"], token, input={"imageId": str(uuid4())})

    async def logged_fields(answer: Any) -> tuple[str, list[str], list[str]]:
        found = await wait_for_line(verbose_server, event="operation", request_id=answer.headers["x-request-id"])
        return found["kind"], found["codes"], found["refusals"]

    assert await logged_fields(broken) == ("unknown", ["GRAPHQL_PARSE_FAILED"], [])
    assert await logged_fields(unfit) == ("query", ["GRAPHQL_VALIDATION_FAILED"], [])
    assert await logged_fields(refused) == ("mutation", [], ["NOT_FOUND"])


async def test_a_watch_logs_its_start_and_its_end_with_the_number_of_items(verbose_server: Server) -> None:
    owner, consumer = fresh_id(), fresh_id()
    token = verbose_server.token(owner)
    image = verbose_server.register(token, visibility="SHARED")
    async with connect_socket(verbose_server, verbose_server.token(consumer)) as peer:
        await peer.subscribe(operations.WATCH)
        await peer.next_item()
        started = await wait_for_line(verbose_server, event="watch started", tenant=consumer)
        verbose_server.do("offerImage", token, imageId=image, tenantIds=[consumer])
        await peer.next_item()
        assert find_lines(verbose_server, event="operation", tenant=consumer) == []

    ended = await wait_for_line(verbose_server, event="operation", tenant=consumer)
    assert (ended["kind"], ended["transport"], ended["items"]) == ("subscription", "websocket", 2)
    assert started["request_id"] == ended["request_id"]


async def test_a_watch_over_sse_logs_its_lines_too(verbose_server: Server) -> None:
    tenant = fresh_id()
    with stream(verbose_server, operations.WATCH, verbose_server.token(tenant)) as response:
        next(events(response))
        await wait_for_line(verbose_server, event="watch started", tenant=tenant)
    verbose_server.renew_client()

    ended = await wait_for_line(verbose_server, event="operation", tenant=tenant)
    assert (ended["transport"], ended["items"]) == ("events", 1)


async def test_no_log_level_contains_tokens_variables_or_documents(verbose_server: Server) -> None:
    secret, token = uuid4().hex, verbose_server.token(fresh_id())
    quoted = f'{{ image(id: "{secret}") {{ name }} }}'
    texts = [quoted, f"{{ {secret} }}", f'{{ image(id: "{secret}" ', f"{{ _{secret}: viewer {{ id }} }}"]
    for text in (*texts, f'{{ images(first: "{secret}") {{ totalCount }} }}', f"# {secret}"):
        verbose_server.post(text, token, accept="*/*")
        verbose_server.get(text, token)
        verbose_server.post(text, token, accept=EVENTS)
        async with connect_socket(verbose_server, token) as peer:
            await peer.run(text)
    verbose_server.post(POINT, token, id=secret)
    verbose_server.post("query($n: Int!) { images(first: $n) { totalCount } }", token, n=secret)
    verbose_server.client.post("/graphql", content=f'{{"query": {secret}', headers={"content-type": "application/json"})
    verbose_server.client.get(f"/{secret}", params={"token": secret})
    verbose_server.client.post(
        "/graphql", json={}, headers={"authorization": f"Bearer {secret}", "x-request-id": secret}
    )
    async with connect_socket(verbose_server, token) as peer:
        await peer.send({"type": secret})
        assert await peer.close_code() == 4400

    assert secret not in verbose_server.log
    assert token not in verbose_server.log


async def test_the_url_of_a_websocket_is_not_logged(verbose_server: Server) -> None:
    secret, plain = uuid4().hex, verbose_server.ws_url
    verbose_server.ws_url = f"{plain}?token={secret}"
    try:
        async with connect_socket(verbose_server, verbose_server.token(fresh_id())) as peer:
            assert await peer.is_alive()
    finally:
        verbose_server.ws_url = plain

    assert secret not in verbose_server.log


async def test_a_fault_is_logged_with_its_traceback_and_without_values(verbose_server: Server) -> None:
    secret, token = uuid4().hex.upper(), verbose_server.token(fresh_id())
    image = verbose_server.register(token, name=secret)
    spoil(verbose_server.database, image, secret)
    answer = verbose_server.post(SPOILT, token, id=image)

    logged_fields = await wait_for_line(verbose_server, event="fault", request_id=answer.headers["x-request-id"])
    assert "Traceback (most recent call last)" in logged_fields["exception"]
    assert "LookupError" in logged_fields["exception"]
    assert secret not in verbose_server.log
    assert (await wait_for_line(verbose_server, event="operation", request_id=logged_fields["request_id"]))[
        "codes"
    ] == ["INTERNAL_SERVER_ERROR"]


async def test_a_client_cannot_choose_its_request_id(verbose_server: Server) -> None:
    chosen = uuid4().hex
    answer = verbose_server.client.post("/graphql", json={"query": "{ __typename }"}, headers={"x-request-id": chosen})

    assert answer.headers["x-request-id"] != chosen
    assert chosen not in verbose_server.log


@pytest.mark.parametrize(
    ("setting", "logged_fields"),
    [
        ("off", []),
        ("errors", ["failed"]),
        ("slow", ["failed", "slow", "slow at once"]),
        ("all", ["quick", "failed", "slow", "quick at once", "slow at once"]),
    ],
)
def test_the_setting_selects_the_operations_that_are_logged(setting: str, logged_fields: list[str]) -> None:
    settings = settings_for("sqlite://", operation_log=setting, slow_operation_seconds=3600.0)
    those = Operations(Summaries(build_schema().documents), settings)
    caller: Any = None
    with capture_logs() as logged:
        for name, code, seconds in (("quick", None, 0), ("failed", "BAD_REQUEST", 0), ("slow", None, 3601)):
            with those.record(HTTP, name) as one:
                one.set_operation("{ __typename }", name, None)
                one.codes += [] if code is None else [code]
                one._began -= seconds
        for name, seconds in (("quick at once", 0), ("slow at once", 3601)):
            those.record_query("{ __typename }", name, None, caller, name, perf_counter() - seconds)

    assert [entry["request_id"] for entry in logged] == logged_fields
