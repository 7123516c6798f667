"""Spans of operations and of the store, as a collector receives them."""

import builtins
from collections.abc import Generator
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest

from app.errors import SetupError
from app.web.monitoring.traces import open_traces
from tests.harness import operations
from tests.harness.collector import Collector, attributes, run_collector
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, run_server
from tests.harness.sockets import connect_socket
from tests.harness.waiting import wait_until
from tests.http.test_faults import SPOILT, spoil

pytestmark = pytest.mark.slow
QUERY = "query Seen { images(first: 3) { nodes { id } } }"
Pair = tuple[Server, Collector]


@pytest.fixture(scope="module")
def traced(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Generator[Pair]:
    with run_collector() as collector, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        folder = tmp_path_factory.mktemp("traced")
        url = databases.fresh() if "postgres" in type(databases).__name__.lower() else None
        with run_server(folder, database_url=url, traces=True) as server:
            yield server, collector


async def of_tenant(collector: Collector, tenant: str) -> Any:
    """The only span of an operation of this tenant."""

    def found() -> list[Any]:
        return [span for span in collector.spans if attributes(span).get("image_gateway.tenant") == tenant]

    await wait_until(lambda: len(found()) > 0)
    [span] = found()
    return span


def below(collector: Collector, span: Any) -> set[str]:
    return {one.name for one in collector.spans if one.trace_id == span.trace_id and one.span_id != span.span_id}


async def test_an_operation_has_a_span_below_its_callers_with_a_span_of_the_store_below_it(traced: Pair) -> None:
    server, collector = traced
    tenant, trace, parent = fresh_id(), uuid4().hex, uuid4().hex[:16]
    headers = {"traceparent": f"00-{trace}-{parent}-01", **bearer(server.token(tenant))}
    answer = server.client.post("/graphql", json={"query": QUERY, "operationName": "Seen"}, headers=headers)

    span = await of_tenant(collector, tenant)
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("GraphQL query", trace, parent)
    assert attributes(span) == {
        "graphql.operation.name": "Seen",
        "graphql.operation.type": "query",
        "image_gateway.document": sha256(QUERY.encode()).hexdigest(),
        "image_gateway.transport": "http",
        "image_gateway.tenant": tenant,
        "image_gateway.request_id": answer.headers["x-request-id"],
    }
    await wait_until(lambda: "store plan" in below(collector, span))


@pytest.mark.parametrize("way", ["http", "socket"])
async def test_mutations_and_unplanned_queries_have_a_span_for_each_step(traced: Pair, way: str) -> None:
    server, collector = traced
    writer, reader = fresh_id(), fresh_id()
    server.register(server.token(writer))
    long = "{ images(first: 3) { nodes { id } } offerEvents { nodes { kind } } }"
    if way == "http":
        server.data(long, server.token(reader))
    else:
        async with connect_socket(server, server.token(reader)) as peer:
            await peer.run(long)

    written, read = await of_tenant(collector, writer), await of_tenant(collector, reader)
    await wait_until(lambda: "store act" in below(collector, written))
    await wait_until(lambda: "store read_list" in below(collector, read))
    assert attributes(read)["image_gateway.transport"] == {"http": "http", "socket": "websocket"}[way]


async def test_the_span_of_a_watch_ends_once_it_waits_for_changes(traced: Pair) -> None:
    server, collector = traced
    tenant = fresh_id()
    async with connect_socket(server, server.token(tenant)) as peer:
        await peer.subscribe(operations.WATCH)
        await peer.next_item()
        assert (await of_tenant(collector, tenant)).name == "GraphQL subscription"


async def test_a_fault_is_marked_and_no_span_contains_a_value(traced: Pair) -> None:
    server, collector = traced
    if not server.database.exists():
        return  # only a SQLite file can be corrupted without the server
    secret, tenant = uuid4().hex.upper(), fresh_id()
    token = server.token(tenant)
    image = server.register(server.token(tenant), name=secret)
    spoil(server.database, image, secret)
    server.post(SPOILT, token, id=image)
    server.post(f'{{ image(id: "{secret}") {{ {secret} }} }}', token)

    def faults() -> list[Any]:
        return [span for span in collector.spans if span.status.code == 2]

    await wait_until(lambda: len(faults()) > 0)
    assert attributes(faults()[0])["image_gateway.tenant"] == tenant
    await wait_until(lambda: len([span for span in collector.spans if tenant in str(span.attributes)]) == 3)
    everything = b"".join(collector.bodies)
    assert secret.encode() not in everything
    assert token.encode() not in everything


async def test_following_the_log_creates_no_spans(traced: Pair) -> None:
    server, collector = traced
    tenant = fresh_id()
    server.post("{ viewer { id } }", server.token(tenant))
    await of_tenant(collector, tenant)

    roots = {span.name for span in collector.spans if not span.parent_span_id}
    assert roots <= {f"GraphQL {kind}" for kind in ("query", "mutation", "subscription", "operation")}


def test_tracing_is_loaded_only_with_its_setting_and_needs_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert open_traces(settings_for("sqlite://")) is None
    with pytest.raises(SetupError, match=r"image-sharing-gateway\[otel\]"):
        open_traces(settings_for("sqlite://", traces=True))
