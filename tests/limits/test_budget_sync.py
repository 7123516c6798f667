"""Workers on one PostgreSQL share budgets, about a second late."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.api.schema import build_schema
from app.documents.price import Prices
from app.store import budgets as shared
from app.store.budgets import Kind
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.web.limits.bucket import Bucket
from app.web.limits.budget import Budget
from app.web.limits.budget_sync import BudgetSync
from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.outages import database_outage
from tests.harness.transports import send_over
from tests.harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("reading_is_free")]

PAGE = "query($n: Int) { images(first: $n) { nodes { id name } } }"
BRIM = 1_000
OF_TENANTS = Kind("tenant", 1, BRIM)


@pytest.fixture
def url(postgres_databases: PostgresDatabases) -> str:
    return postgres_databases.fresh()


@pytest.fixture
async def workers(url: str) -> AsyncGenerator[tuple[InProcessServer, InProcessServer]]:
    settings = settings_for(url, rate_per_tenant=1, burst_per_tenant=BRIM, rate_per_address=1)
    async with AsyncExitStack() as held:
        yield (
            await held.enter_async_context(run_in_process(settings)),
            await held.enter_async_context(run_in_process(settings)),
        )


@pytest.fixture
async def store(url: str) -> AsyncGenerator[Store]:
    store = Store(parse_url(url))
    yield store
    await store.close()


def _tenants(worker: InProcessServer) -> Budget:
    assert worker.budgets is not None
    assert worker.budgets.tenants is not None
    return worker.budgets.tenants


async def _spend(worker: InProcessServer, times: int) -> list[int]:
    """The statuses of this many requests that cost 301 each."""
    return [(await send_over(worker, "lane", PAGE, worker.token, n=100)).status for _ in range(times)]


async def _settle(store: Store, spent: dict[str, float], kind: Kind = OF_TENANTS) -> dict[str, float]:
    async with store.transaction() as tx:
        return await shared.settle(tx, kind, spent)


async def test_budget_spent_at_one_worker_is_missing_at_the_other(
    workers: tuple[InProcessServer, InProcessServer],
) -> None:
    one, other = workers

    assert await _spend(one, 4) == [200, 200, 200, 429]
    await wait_until(lambda: not _tenants(one).unsettled)
    assert await _spend(other, 1) == [200], "until it has settled once it knows of nothing"
    await wait_until(lambda: not _tenants(other).unsettled)

    assert _tenants(other).buckets.get("1").level < -100
    assert await _spend(other, 1) == [429]


async def test_workers_overspend_for_one_interval_at_most_and_the_debt_remains(
    workers: tuple[InProcessServer, InProcessServer],
) -> None:
    granted = 0
    for _ in range(3):
        statuses = await asyncio.gather(*(_spend(worker, 5) for worker in workers))
        granted += sum(reply.count(200) for reply in statuses)
        await wait_until(lambda: not any(_tenants(worker).unsettled for worker in workers))

    assert granted <= 6
    levels = [_tenants(worker).buckets.get("1").level for worker in workers]
    assert min(levels) == pytest.approx(BRIM - granted * 301, abs=30)


async def test_requests_write_nothing_and_a_settlement_is_one_statement(
    workers: tuple[InProcessServer, InProcessServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[dict[str, float]] = []
    settle = shared.settle

    async def counted(tx: Any, kind: Kind, spent: dict[str, float]) -> dict[str, float]:
        settled.append(spent)
        return await settle(tx, kind, spent)

    monkeypatch.setattr(shared, "settle", counted)
    one, _ = workers
    for _ in range(20):
        await send_over(one, "lane", "{ viewer { id } }", one.token)
    await wait_until(lambda: not _tenants(one).unsettled)

    assert sum(spent.get("1", 0) for spent in settled) == 40
    assert len(settled) < 10


async def test_a_worker_continues_alone_during_an_outage(
    workers: tuple[InProcessServer, InProcessServer], url: str
) -> None:
    one, _ = workers
    # Formatted for a terminal, each failure would take longer than this test has.
    with capture_logs() as said, database_outage(url):
        for _ in range(3):
            reply = await send_over(one, "endpoint", "{ __schema { queryType { name } } }", one.token)
            assert reply.status == 200
        assert _tenants(one).buckets.get("1").level == pytest.approx(BRIM - 9, abs=5)
        await wait_until(lambda: any("settled" in line["event"] for line in said))
        assert _tenants(one).unsettled
    await wait_until(lambda: not _tenants(one).unsettled)

    assert _tenants(one).buckets.get("1").level == pytest.approx(BRIM - 9, abs=5)


async def test_the_shared_budget_refills_by_the_clock_of_the_database(store: Store) -> None:
    assert (await _settle(store, {"1": 900, "2": 1}, OF_TENANTS)) == {"1": 100, "2": 999}
    await _settled_earlier(store, "300 s")
    refilled = (await _settle(store, {"1": 0}, OF_TENANTS))["1"]
    await _settled_earlier(store, "1 h")

    assert refilled == pytest.approx(450, abs=50)  # what refills by itself on a slow machine
    assert (await _settle(store, {"1": 0}, OF_TENANTS))["1"] == BRIM


async def _settled_earlier(store: Store, by: str) -> None:
    """Simulate that this much time has passed, as the database's clock can't be set."""
    async with store.transaction() as tx:
        await tx.conn.execute(text("UPDATE budget SET settled_at = settled_at - CAST(:by AS interval)"), {"by": by})


async def test_concurrent_settlements_lose_nothing_and_never_deadlock(store: Store) -> None:
    callers = [str(number) for number in range(300)]

    async def settle(worker: int) -> None:
        for _ in range(5):
            await _settle(store, dict.fromkeys(callers if worker % 2 else reversed(callers), 1.0))

    await asyncio.gather(*(settle(worker) for worker in range(6)))

    left = await _settle(store, dict.fromkeys(callers, 0.0))
    assert set(left) == set(callers)
    assert all(BRIM - 30 <= level <= BRIM - 30 + 60 for level in left.values())


async def test_full_budgets_are_dropped_and_others_are_kept(store: Store) -> None:
    await _settle(store, {"full": 0.0, "empty": 1_000.0})
    await _settle(store, {"full": 0.0}, Kind("address", 1, BRIM))
    async with store.transaction() as tx:
        await shared.sweep(tx, OF_TENANTS)
        kept = (await tx.conn.exec_driver_sql("SELECT kind, who FROM budget ORDER BY kind")).all()

    assert [tuple(row) for row in kept] == [("address", "full"), ("tenant", "empty")]


async def test_after_a_long_outage_what_was_earned_meanwhile_is_not_owed(url: str) -> None:
    now = [1_000.0]
    budget = Budget("tenant", 100, BRIM, Prices(build_schema().documents), lambda: now[0])
    store = Store(parse_url(url))
    sync = BudgetSync(store, _only(budget))
    with database_outage(url):
        for _ in range(50):
            budget.charge_flat("1", 900)
            now[0] += 9
            sync._continue_alone(OSError("away"))
        budget.charge_flat("1", 500)
        assert budget.unsettled is not None
        assert budget.unsettled["1"].unsettled == 500
    await sync._settle(budget)

    assert budget.buckets.get("1").level == 500
    await store.close()


def _only(budget: Budget) -> Any:
    class Only:
        limited = [budget]

    return Only()


async def test_spending_during_a_settlement_is_not_lost(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget("tenant", 1, BRIM, Prices(build_schema().documents), lambda: 1_000.0)
    sync = BudgetSync(store, _only(budget))
    budget.charge_flat("1", 100)
    settle = shared.settle

    async def meanwhile(*args: Any) -> dict[str, float]:
        budget.charge_flat("1", 30)
        return await settle(*args)

    monkeypatch.setattr(shared, "settle", meanwhile)
    await sync._settle(budget)

    bucket: Bucket = budget.buckets.get("1")
    assert (bucket.level, bucket.unsettled) == (BRIM - 130, 30)
