"""Several workers on one machine: each of them serves the metrics of all."""

import asyncio
import os
import re
import signal
from collections.abc import Generator

import httpx2
import pytest

from tests.harness.commands import ServeCommand, start_serve
from tests.harness.databases import PostgresDatabases
from tests.harness.metrics import scrape
from tests.harness.waiting import POLL_SECONDS

pytestmark = pytest.mark.slow
OPERATIONS = "operation_duration_seconds_count"


@pytest.fixture
def workers(postgres_databases: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServeCommand]:
    folder, url = tmp_path_factory.mktemp("workers"), postgres_databases.fresh()
    with start_serve(folder, "--port", "0", "--workers", "2", "--database", url) as serving:
        yield serving


async def all_up(workers: ServeCommand) -> None:
    async with asyncio.timeout(60):
        while (await scrape(int(workers.port))).total("worker_up") < 2:
            await asyncio.sleep(POLL_SECONDS)  # nothing else announces that a worker has started


async def test_a_scrape_includes_every_worker_even_a_restarted_one(workers: ServeCommand) -> None:
    await all_up(workers)
    # Each request uses a new connection, so that both workers get some.
    for _ in range(40):
        assert httpx2.post(workers.url, json={"query": "{ __typename }"}).status_code == 200
    figures = await scrape(int(workers.port))

    shares = [figures.total(OPERATIONS, worker=str(place)) for place in range(2)]
    assert sum(shares) == 40
    assert all(shares), shares
    again = [await scrape(int(workers.port)) for _ in range(4)]
    assert {one.total(OPERATIONS) for one in again} == {40}

    pids = [int(pid) for pid in _children(workers.process.pid)]
    os.kill(pids[0], signal.SIGKILL)
    await all_up(workers)
    after = await scrape(int(workers.port))
    assert sorted(after.total(OPERATIONS, worker=str(place)) for place in range(2)) in ([0, share] for share in shares)


def _children(pid: int) -> list[str]:
    """The worker processes, without multiprocessing's resource tracker."""
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        found = children.read().split()
    return [child for child in found if re.search("spawn_main", _command(child))]


def _command(pid: str) -> str:
    with open(f"/proc/{pid}/cmdline") as line:
        return line.read().replace("\0", " ")
