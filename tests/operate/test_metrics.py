"""Metrics of the operations of one process, and of its store."""

from collections.abc import AsyncGenerator, Generator
from uuid import uuid4

import pytest

from app.histogram import BOUNDS, Histogram
from tests.harness import operations
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.metrics import PREFIX, scrape
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, run_server
from tests.harness.sockets import connect_socket
from tests.harness.waiting import wait_until

LABELS = {"worker", "kind", "result", "code", "reason", "cause", "pool", "state", "version", "python", "store", "le"}


@pytest.fixture
async def inner(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(databases.fresh())) as server:
        yield server


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server that no other test uses."""
    with run_server(tmp_path_factory.mktemp("own")) as server:
        yield server


async def test_operations_are_counted_by_execution_path_and_reason(server: Server) -> None:
    token = server.token("1")
    before = await scrape(server.port)
    server.post("{ viewer { id } }", token)
    server.post("{ viewer { id } __schema { queryType { name } } }", token)
    server.post("{ nothing }", token)
    server.post("{ __typename }")
    after = await scrape(server.port)

    def grown(name: str, **labels: str) -> float:
        return after.total(f"{name}_operations_total", **labels) - before.total(f"{name}_operations_total", **labels)

    assert grown("planned") == 1
    assert [grown("unplanned", reason=one) for one in ("Query.__schema", "refused", "anonymous")] == [1, 1, 1]


async def test_operations_are_counted_by_kind_and_result_once_on_every_transport(own: Server) -> None:
    token, image = own.token(fresh_id()), str(uuid4())
    before = await scrape(own.port)
    own.post("{ viewer { id } }", token)
    own.post(operations.MUTATIONS["acceptOffer"], token, input={"imageId": image})
    own.post("{ nothing }", token)
    own.post("{ viewer { id } }", token, accept="text/event-stream")
    own.client.post("/graphql", content="{", headers={"content-type": "application/json", **bearer(token)})
    async with connect_socket(own, token) as peer:
        await peer.run("{ viewer { id } }")
        await peer.run("{ nothing }")
    after = await scrape(own.port)

    def grown(name: str, **labels: str) -> float:
        return after.total(name, **labels) - before.total(name, **labels)

    count = "operation_duration_seconds_count"
    assert grown(count, kind="query", result="ok") == 3
    assert grown(count, kind="query", result="error") == 2
    assert grown(count, kind="mutation", result="refused") == 1
    assert grown(count, kind="unknown", result="error") == 1
    assert grown(count) == 7
    assert grown("operation_duration_seconds_bucket", le="+Inf") == 7
    assert grown("errors_total", code="GRAPHQL_VALIDATION_FAILED") == 2
    assert grown("errors_total", code="BAD_REQUEST") == 1
    assert grown("refusals_total", code="NOT_FOUND") == 1


def test_a_duration_is_counted_in_every_bucket_that_includes_it() -> None:
    histogram = Histogram()
    for seconds in (0.0, 0.001, 0.0011, 3600.0):
        histogram.add(seconds)

    counts = dict(histogram.buckets())
    assert list(counts) == [*map(str, BOUNDS), "+Inf"]
    assert (counts["0.0001"], counts["0.001"], counts["0.0025"], counts["10.0"], counts["+Inf"]) == (1, 2, 3, 3, 4)
    assert histogram.total == pytest.approx(3600.0021)


async def test_metrics_contain_no_tenant_or_token_and_their_labels_are_bounded(own: Server) -> None:
    def ask() -> None:
        tenant = fresh_id()
        token, word = own.token(tenant), uuid4().hex[:10]
        own.post(f"query Q{word} {{ a{word}: viewer {{ id }} }}", token)
        own.post(f"{{ a{word} }}", token)
        own.post(f"query Q{word} {{ viewer {{ id }} }} query R {{ viewer {{ id }} }}", token)
        own.post(operations.MUTATIONS["acceptOffer"], token, input={"imageId": word})
        assert tenant not in own.client.get("/metrics").text

    ask()
    await wait_until(lambda: 'cause="poll"' in own.client.get("/metrics").text)
    before = {(sample.name, *sample.labels.items()) for sample in (await scrape(own.port)).samples}
    for _ in range(5):
        ask()
    after = await scrape(own.port)

    assert {(sample.name, *sample.labels.items()) for sample in after.samples} == before
    ours = [sample for sample in after.samples if sample.name.startswith(PREFIX)]
    assert {label for sample in ours for label in sample.labels} == LABELS
    assert all(after.help.values())


async def test_the_store_has_metrics(inner: InProcessServer) -> None:
    figures = await scrape(inner.port)

    is_postgres = inner.services.store.url.get_backend_name() == "postgresql"
    assert figures.has("notification_queue_usage") is figures.has("oldest_transaction_seconds") is is_postgres
    assert figures.has("wal_bytes") is not is_postgres
    assert figures.total("store_connections", pool="writer") == (8 if is_postgres else 1)
    assert figures.total("build_info", store=inner.services.store.url.get_backend_name()) == 1
    assert figures.total("worker_up", worker="0") == 1
    assert "process_resident_memory_bytes" in figures.text


async def test_the_age_of_an_old_transaction_is_reported(inner: InProcessServer) -> None:
    if inner.services.store.url.get_backend_name() == "sqlite":
        return
    async with inner.services.store.writer.connect() as connection:
        await connection.exec_driver_sql("SELECT pg_sleep(0.3)")
        figures = await scrape(inner.port)

    assert figures.total("oldest_transaction_seconds") > 0.3
    assert figures.total("store_connections", pool="writer", state="in_use") == 1
