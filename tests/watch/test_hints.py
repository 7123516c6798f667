"""Hints between workers, which only reduce delays. The poll interval of these tests is too long to hide a lost one."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import psycopg
import pytest

from app.store.engines.notify import CHANNEL
from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import Gateway, settings_for, start_gateway
from tests.harness.scenario import make_scenario

NEVER_SECONDS = 600.0


@pytest.fixture
async def workers(postgres_databases: PostgresDatabases) -> AsyncGenerator[tuple[Gateway, Gateway, str]]:
    url = postgres_databases.fresh()
    settings = settings_for(url, poll_seconds=NEVER_SECONDS)
    async with start_gateway(settings) as first, start_gateway(settings) as second:
        yield first, second, url


async def test_a_commit_at_one_worker_wakes_the_watches_of_another(
    workers: tuple[Gateway, Gateway, str],
) -> None:
    first, second, _ = workers
    scenario = await make_scenario(first, "pending")
    async with elsewhere(second, scenario.owner.id).watch() as items:
        await anext(items)
        await scenario.consumer.accept(scenario.image)
        assert (await anext(items))["status"] == "ACCEPTED"


async def test_killed_listeners_reconnect_and_deliver_what_was_missed(workers: tuple[Gateway, Gateway, str]) -> None:
    first, second, url = workers
    scenario = await make_scenario(first, "pending")
    async with elsewhere(second, scenario.owner.id).watch() as items:
        await anext(items)
        for status in ("ACCEPTED", "REJECTED"):
            await _kill_sessions(url)
            await (scenario.consumer.accept if status == "ACCEPTED" else scenario.consumer.reject)(scenario.image)
            assert (await anext(items))["status"] == status


async def test_concurrent_commits_share_a_hint(workers: tuple[Gateway, Gateway, str]) -> None:
    first, _, url = workers
    async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", ""), autocommit=True) as listener:
        await listener.execute(f"LISTEN {CHANNEL}".encode())
        for _ in range(200):
            first.services.store._on_commit()
        notices = [notice async for notice in listener.notifies(timeout=1.0)]

    assert 1 <= len(notices) < 20
    assert {notice.payload for notice in notices} == {""}


def elsewhere(gateway: Gateway, tenant_id: str) -> Any:
    """The same tenant at another worker."""
    return gateway.tenant(tenant_id)


async def _kill_sessions(url: str) -> None:
    """Kill the sessions of both workers once they listen. The loss of a notifying one is noticed on its next use."""
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as admin:
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
        async with asyncio.timeout(20):
            while admin.execute(count, [CHANNEL]).fetchall()[0][0] < 3:
                await asyncio.sleep(0.05)
        admin.execute(f"{kill} AND datname = current_database()".encode(), [CHANNEL])
