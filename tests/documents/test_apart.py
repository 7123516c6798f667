"""What one tenant has sent tells nothing to another: its documents are worked out anew for everybody else."""

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
from tests.harness.server import bearer
from tests.harness.sockets import Peer
from tests.harness.transports import TRANSPORTS, send_over
from tests.harness.world import fresh_id

EACH = {"parsed", "validated", "priced", "planned"}


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each step was taken for a document."""
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
async def test_another_tenants_request_does_all_the_work_again(
    server: InProcessServer, transport: str, worked: Counter[str]
) -> None:
    query = _fresh_query()
    await send_over(server, transport, query, server.token_of(fresh_id()))
    first = Counter(worked)
    await send_over(server, transport, query, server.token_of(fresh_id()))

    assert set(first) >= EACH
    assert worked == first + first
    assert all(times == 1 for times in first.values())


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_tenants_own_document_is_worked_out_once(
    server: InProcessServer, transport: str, worked: Counter[str]
) -> None:
    query, tenant = _fresh_query(), fresh_id()
    for _ in range(3):
        await send_over(server, transport, query, server.token_of(tenant))

    assert set(worked.values()) == {1}, worked


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_caller_without_a_token_learns_nothing_of_what_tenants_ask(
    server: InProcessServer, transport: str, worked: Counter[str]
) -> None:
    query = _fresh_query()
    await send_over(server, transport, query, server.token_of(fresh_id()))
    before = Counter(worked)
    await send_over(server, transport, query)

    assert worked - before == before


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_trusted_document_is_worked_out_once_for_all(
    databases: Databases, transport: str, worked: Counter[str], tmp_path: Path
) -> None:
    query = _fresh_query()
    async with _serving(
        databases, documents_path=manifests.write_manifest(tmp_path / "manifest.json", query)
    ) as server:
        worked.clear()
        for _ in range(3):
            await send_over(server, transport, query, server.token_of(fresh_id()))

    # They are parsed and validated when the server starts.
    assert worked == {"priced": 1, "planned": 1}


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


async def test_a_watch_that_another_tenant_has_begun_is_worked_out_anew(
    server: InProcessServer, worked: Counter[str]
) -> None:
    query = f'subscription {{ watchOffers(filter: {{imageId: "{fresh_id()}"}}) {{ cursor }} }}'
    seen: list[Counter[str]] = []
    for tenant in (fresh_id(), fresh_id()):
        async with connect(server.url, subprotocols=[PROTOCOL], proxy=None) as connection:
            peer = Peer(connection)
            await peer.init(server.token_of(tenant))
            await peer.subscribe(query)
            assert [(await peer.receive())["type"], (await peer.receive())["type"]] == ["connection_ack", "next"]
        seen.append(Counter(worked))

    assert seen[1] == seen[0] + seen[0]


async def test_a_connection_that_tenants_share_keeps_their_documents_apart(
    sqlite_databases: SqliteDatabases, worked: Counter[str]
) -> None:
    """Each operation is logged, which looks at its document once more; only one connection is open."""
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
            worked.clear()
            await send(mine, two)
            again = Counter(worked)
            worked.clear()
            await send(ours, two)

    assert again == worked
