"""Reads of the log that hang are noticed, counted and repeated."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from app.errors import Unavailable
from app.store import log, snapshot
from tests.harness.databases import Databases, PostgresDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.metrics import scrape
from tests.harness.waiting import wait_until


@pytest.fixture
async def hanging(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Any]:
    """Make the next query of the log wait until the end of the test."""
    monkeypatch.setattr(snapshot, "FOLLOWING_SECONDS", 0.2)
    end, begun = asyncio.Event(), list[str]()

    def hang(name: str) -> list[str]:
        query = getattr(log, name)

        async def hangs_once(*args: Any, **kwargs: Any) -> Any:
            if not begun:
                begun.append(name)
                await end.wait()
            return await query(*args, **kwargs)

        monkeypatch.setattr(log, name, hangs_once)
        return begun

    hang.end = end  # type: ignore[attr-defined]  # in case the store is closed before the fixture ends
    yield hang
    end.set()


async def late_reads(server: InProcessServer) -> float:
    return (await scrape(server.port)).total("log_late_reads_total")


async def test_the_tailer_repeats_a_hanging_read_on_another_connection(
    postgres_databases: PostgresDatabases, hanging: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with run_in_process(settings_for(postgres_databases.fresh(), poll_seconds=0.1)) as server:
        owner, feed = server.gateway.tenant("1"), server.services.feed
        begun = hanging("read_after")
        await wait_until(lambda: begun == ["read_after"])
        await owner.register()
        assert owner.caller is not None
        async with aclosing(feed.follow(owner.caller, lambda _: True, 0, 60, feed.seal)) as items:
            async with asyncio.timeout(20):
                assert (await anext(items)).position == 1
        assert await late_reads(server) >= 1
        hanging.end.set()
        await wait_until(lambda: server.services.store.connections()["reader"][0] == 0)
    assert "has not answered within" in capsys.readouterr().out


async def test_a_watch_whose_catch_up_read_hangs_ends_and_can_resume(databases: Databases, hanging: Any) -> None:
    async with run_in_process(settings_for(databases.fresh(), feed_ring_size=1)) as server:
        owner, feed = server.gateway.tenant("1"), server.services.feed
        for _ in range(3):
            await owner.register()
        await wait_until(lambda: feed.figures.read == 3)
        hanging("read_concerning")
        assert owner.caller is not None
        async with aclosing(feed.follow(owner.caller, lambda _: True, 0, 60, feed.seal)) as items:
            with pytest.raises(Unavailable):
                async with asyncio.timeout(20):
                    await anext(items)
        async with aclosing(feed.follow(owner.caller, lambda _: True, 0, 60, feed.seal)) as items:
            assert (await anext(items)).position == 1
        assert await late_reads(server) == 1
        hanging.end.set()
