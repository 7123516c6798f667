"""Metrics of watches, and of the log that they follow."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from sqlalchemy import text

from app.store import log
from tests.harness import operations
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.metrics import scrape
from tests.harness.waiting import wait_until


@pytest.fixture
async def server(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(databases.fresh(), poll_seconds=0.1)) as server:
        yield server


async def test_the_log_and_its_tailer_have_metrics(server: InProcessServer) -> None:
    await server.gateway.tenant("1").register()
    feed = server.services.feed
    await wait_until(lambda: feed.figures.read == 1)
    await wait_until(lambda: feed.figures.looks["hint"] > 0 and feed.figures.looks["poll"] > 0)
    figures = await scrape(server.port)

    assert [figures.total(name) for name in ("log_head", "log_floor", "log_head_lag", "watch_gap_total")] == [
        1,
        0,
        0,
        0,
    ]
    assert figures.total("log_looks_total", cause="hint") > 0
    assert figures.total("log_looks_total", cause="poll") > 0
    assert 0 <= figures.total("log_read_age_seconds") < 60


async def test_a_gap_in_the_log_is_counted_unless_retention_caused_it(server: InProcessServer) -> None:
    owner, feed = server.gateway.tenant("1"), server.services.feed
    await owner.register()
    await wait_until(lambda: feed.figures.read == 1)
    async with server.services.store.transaction() as tx:
        await tx.conn.execute(text("UPDATE event_head SET seq = 5, floor = 5"))
    await owner.register()
    await wait_until(lambda: feed.figures.read == 6)
    assert (await scrape(server.port)).total("watch_gap_total") == 0

    async with server.services.store.transaction() as tx:
        await tx.conn.execute(text("UPDATE event_head SET seq = 8"))
    await owner.register()
    await wait_until(lambda: feed.figures.read == 9)
    assert (await scrape(server.port)).total("watch_gap_total") == 1


async def test_the_lag_of_the_slowest_watch_is_reported(server: InProcessServer) -> None:
    owner = server.gateway.tenant("1")
    async with owner.watch(query=operations.WATCH_IMAGES) as watch:
        await anext(watch)
        following: asyncio.Task[Any] = asyncio.ensure_future(anext(watch))
        await owner.register()
        await following
        # Nothing reads an item meanwhile, so the watch stays where it is.
        for _ in range(3):
            await owner.register()
        await wait_until(lambda: server.services.feed.figures.read == 4)
        assert (await scrape(server.port)).total("watch_position_lag") >= 3
        for _ in range(3):
            await anext(watch)

    assert (await scrape(server.port)).total("watch_position_lag") == 0


async def test_a_reset_is_counted_by_its_reason(server: InProcessServer) -> None:
    owner = server.gateway.tenant("1")
    async with owner.watch() as watch:
        cursor = (await anext(watch))["cursor"]
    async with server.services.store.transaction() as tx:
        await log.rotate_epoch(tx)
    async with owner.watch(after=cursor) as watch:
        assert (await anext(watch))["__typename"] == "WatchReset"

    figures = await scrape(server.port)
    assert figures.total("watch_resets_total") == figures.total("watch_resets_total", reason="EPOCH_CHANGED") == 1


async def test_a_stalled_client_is_counted_when_it_is_disconnected(databases: Databases) -> None:
    settings = settings_for(databases.fresh(), stall_seconds=0.5)
    async with run_in_process(settings, kernel_aborts=False) as server:
        await server.fill()
        async with server.stalled_client():
            await wait_until(lambda: len(server.connections) == 1)
            await wait_until(lambda: not server.connections)

        assert (await scrape(server.port)).total("stalled_sockets_total") == 1
