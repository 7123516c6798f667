"""Budgets of two workers on one port and one PostgreSQL."""

import asyncio
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.harness.databases import PostgresDatabases
from tests.harness.server import Server, bearer, error_code, run_server
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.slow

PAGE = {"query": "{ images(first: 100) { nodes { id } } }"}
COST, BRIM = 201, 2_000


@pytest.fixture(scope="module")
def pair(postgres_databases: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    folder: Path = tmp_path_factory.mktemp("pair")
    url = postgres_databases.fresh()
    with run_server(folder, database_url=url, workers=2, rate_per_tenant=1, burst_per_tenant=BRIM) as server:
        yield server


def test_both_workers_refuse_a_tenant_that_emptied_its_budget_at_either(pair: Server) -> None:
    token = pair.token("1")
    began = time.monotonic()
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: _query_on_new_connection(pair, token), range(60)))
    granted = sum(answer.status_code == 200 for answer in answers)
    # Each had a full budget for one interval; afterwards they share the debt.
    assert BRIM // COST <= granted <= 2 * (BRIM // COST)
    debt = granted * COST - BRIM

    def knows_of_the_debt() -> bool:
        refused = [_query_on_new_connection(pair, token) for _ in range(10)]
        if any(answer.status_code == 200 for answer in refused):
            return False  # by a worker that has had few requests, and has not settled yet
        assert {(answer.status_code, error_code(answer)) for answer in refused} == {(429, "RATE_LIMITED")}
        earned = time.monotonic() - began  # one unit per second
        return min(int(answer.headers["retry-after"]) for answer in refused) > debt - earned - COST

    asyncio.run(wait_until(knows_of_the_debt))
    assert _query_on_new_connection(pair, pair.token("2")).status_code == 200


def _query_on_new_connection(server: Server, token: str) -> httpx2.Response:
    """Query on a new connection, which either worker may accept."""
    return httpx2.post(server.url, json=PAGE, headers=bearer(token), trust_env=False, verify=False, timeout=60)
