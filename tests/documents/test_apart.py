"""Documents are cached per tenant, so timing reveals nothing about what other tenants have sent."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect

from app.api.plan import planner
from app.documents import deadlines, price
from app.documents.bounded_cache import BoundedCache
from tests.harness import manifests
from tests.harness.databases import Databases, SqliteDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import PROTOCOL, InProcessServer, run_in_process
from tests.harness.scenario import fresh_id
from tests.harness.server import bearer
from tests.harness.sockets import WebSocketClient
from tests.harness.transports import TRANSPORTS, send_over

EACH = {"parsed", "validated", "priced", "planned"}


@pytest.fixture
def work_counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The number of times each step was performed for a document."""
    counted: Counter[str] = Counter()

    def counting(module: Any, name: str, step: str) -> None:
        plain = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args: (counted.update([step]), plain(*args))[1])

    counting(deadlines, "parse", "parsed")
    counting(deadlines, "validation_errors", "validated")
    counting(price, "find_operation", "priced")
    counting(planner, "_plan", "planned")
    return counted


@pytest.fixture(scope="module")
async def server(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with _serving(databases) as served:
        yield served


def _serving(databases: Databases, **changes: Any) -> AbstractAsyncContextManager[InProcessServer]:
    rates = {"rate_per_tenant": 100_000, "burst_per_tenant": 100_000, "rate_per_address": 100_000}
    return run_in_process(settings_for(databases.fresh(), **rates, burst_per_address=100_000, **changes))


def _fresh_query() -> str:
    return f'{{ sentOffers(tenantId: "{fresh_id()}") {{ nodes {{ id }} }} }}'


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_document_of_another_tenant_is_processed_again(
    server: InProcessServer, transport: str, work_counts: Counter[str]
) -> None:
    query = _fresh_query()
    await send_over(server, transport, query, server.token_of(fresh_id()))
    first = Counter(work_counts)
    await send_over(server, transport, query, server.token_of(fresh_id()))

    assert set(first) >= EACH
    assert work_counts == first + first
    assert all(times == 1 for times in first.values())


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_tenants_own_document_is_processed_once(
    server: InProcessServer, transport: str, work_counts: Counter[str]
) -> None:
    query, tenant = _fresh_query(), fresh_id()
    for _ in range(3):
        await send_over(server, transport, query, server.token_of(tenant))

    assert set(work_counts.values()) == {1}, work_counts


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_caller_without_a_token_learns_nothing_about_the_documents_of_tenants(
    server: InProcessServer, transport: str, work_counts: Counter[str]
) -> None:
    query = _fresh_query()
    await send_over(server, transport, query, server.token_of(fresh_id()))
    before = Counter(work_counts)
    await send_over(server, transport, query)

    assert work_counts - before == before


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_trusted_document_is_processed_once_for_all_tenants(
    databases: Databases, transport: str, work_counts: Counter[str], tmp_path: Path
) -> None:
    query = _fresh_query()
    async with _serving(
        databases, documents_path=manifests.write_manifest(tmp_path / "manifest.json", query)
    ) as server:
        work_counts.clear()
        for _ in range(3):
            await send_over(server, transport, query, server.token_of(fresh_id()))

    # They are parsed and validated when the server starts.
    assert work_counts == {"priced": 1, "planned": 1}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_document_is_looked_up_once_for_each_request(
    server: InProcessServer, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    find = BoundedCache.find
    monkeypatch.setattr(BoundedCache, "find", lambda *args: texts.append(args[2]) or find(*args))
    query, token = _fresh_query(), server.token_of(fresh_id())
    for _ in range(3):
        await send_over(server, transport, query, token)

    assert texts == [query] * 3


async def test_a_document_of_another_tenants_watch_is_processed_again(
    server: InProcessServer, work_counts: Counter[str]
) -> None:
    query = f'subscription {{ watchOffers(filter: {{imageId: "{fresh_id()}"}}) {{ cursor }} }}'
    seen: list[Counter[str]] = []
    for tenant in (fresh_id(), fresh_id()):
        async with connect(server.url, subprotocols=[PROTOCOL], proxy=None) as connection:
            peer = WebSocketClient(connection)
            await peer.init(server.token_of(tenant))
            await peer.subscribe(query)
            assert [(await peer.receive())["type"], (await peer.receive())["type"]] == ["connection_ack", "next"]
        seen.append(Counter(work_counts))

    assert seen[1] == seen[0] + seen[0]


async def test_tenants_on_a_shared_connection_have_separate_documents(
    sqlite_databases: SqliteDatabases, work_counts: Counter[str]
) -> None:
    """Only one connection is open. Logging an operation looks up its document once more."""
    mine, other, ours = "{ viewer { id } }", "{ viewer { other: id } }", "{ viewer { again: id } }"
    async with run_in_process(settings_for(sqlite_databases.fresh(), operation_log="all")) as server:
        one, two = server.token_of("1"), server.token_of("2")
        async with httpx2.AsyncClient(trust_env=False, limits=httpx2.Limits(max_connections=1)) as client:

            async def send(query: str, token: str) -> None:
                url = f"http://127.0.0.1:{server.port}/graphql"
                response = await client.post(url, json={"query": query}, headers=bearer(token))
                assert "errors" not in response.json()

            for query, token in ((mine, one), (mine, one), (other, two), (mine, one)):
                await send(query, token)
            work_counts.clear()
            await send(mine, two)
            again = Counter(work_counts)
            work_counts.clear()
            await send(ours, two)

    assert again == work_counts
