"""A worker opens at most as many connections to PostgreSQL as the doctor counts."""

import asyncio
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.admin.stores import CONNECTIONS_OF_A_WORKER
from app.errors import Unavailable
from app.store.plan.pooled import PostgresReader
from app.store.plan.statement import Statement
from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.waiting import wait_until

ASKERS = 12
FOREVER = "SELECT pg_sleep(60)"
COUNT = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = %s AND query LIKE '%%pg_sleep%%'"


@pytest.mark.slow
async def test_a_worker_with_full_pools_has_as_many_connections_as_the_doctor_counts(
    postgres_databases: PostgresDatabases,
) -> None:
    url = make_url(postgres_databases.fresh())
    admin = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    async with run_in_process(settings_for(url.render_as_string(hide_password=False))) as server:
        with psycopg.connect(admin, autocommit=True) as connected:
            observer: Any = connected
            busy = [asyncio.create_task(one) for one in _holding_all(server)]
            held = [0]

            def are_full() -> bool:
                held.append(observer.execute(COUNT, [url.database]).fetchone()[0])
                return held[-1] >= CONNECTIONS_OF_A_WORKER

            def have_ended() -> bool:
                observer.execute(CANCEL, [url.database])
                return are_full() and all(one.done() for one in busy)

            await wait_until(are_full)
            await wait_until(have_ended)  # those that waited get no additional connections

    assert max(held) == CONNECTIONS_OF_A_WORKER


def _holding_all(server: InProcessServer) -> list[Any]:
    """More concurrent requests for each pool than it has connections."""
    store, reader = server.services.store, PostgresReader(server.services.store)
    server.planner._reader = reader
    engines = [store.reader, store.writer, store.follower]
    return [_hold(one) for one in engines * ASKERS] + [_read(reader) for _ in range(ASKERS)]


async def _hold(engine: Any) -> None:
    assert isinstance(engine, AsyncEngine)
    with suppress(Exception):
        async with engine.connect() as conn:
            await conn.execute(text(FOREVER))


async def _read(reader: PostgresReader) -> None:
    with suppress(Unavailable):
        await reader.read(Statement(f"{FOREVER}::text, 0"), {})
