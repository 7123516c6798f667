"""An operation ends at its deadline or with its client: no further step starts, and running ones complete."""

import asyncio
import sqlite3
import threading
from contextlib import AsyncExitStack
from typing import Any

import pytest

from app.sharing import service
from app.store.plan import reader
from tests.harness.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.harness.gateway import IMAGE, settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.operation_clock import install_operation_clock
from tests.harness.operations import MUTATIONS
from tests.harness.raw_clients import CODES, WAYS_TO_LEAVE, leave_http, open_request, open_socket, post
from tests.harness.slow_store import SlowStore, delay_reads
from tests.harness.waiting import wait_until

# Three steps, each of which waits for the previous one.
LONG = {"query_seconds": 600, "watch_item_seconds": 600}  # so that only the disconnection can end it
QUERY = "{ images { nodes { id members { nodes { id tenant { images { nodes { id } } } } } } } }"
WATCH = """subscription($after: Cursor) { watchOffers(after: $after) {
  __typename cursor ... on MemberStatusChanged { member { image { members { nodes { id } } } } } } }"""


def field_by_field(server: InProcessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every operation run without a plan."""

    async def unplanned(*_: Any) -> None:
        return None

    monkeypatch.setattr(server.planner, "answer", unplanned)
    monkeypatch.setattr(server.planner, "_planned", lambda *_: "test")


async def image_with_members(server: InProcessServer) -> str:
    owner = server.gateway.tenant("1")
    image = await owner.register()
    await owner.offer(image, "2", "3")
    return image


async def ends_after_its_first_unit(server: InProcessServer, store: SlowStore) -> None:
    """Wait until an operation has ended although its step is still running, which occupies its slot until released."""
    assert (len(store.started), store.ended, server.admission.in_flight) == (1, [], 1)
    store.release()
    await wait_until(lambda: server.admission.in_flight == 0)
    await asyncio.sleep(0.05)  # anything that wrongly starts would have started by then
    assert len(store.started) == len(store.ended) == 1
    assert (await server.gateway.tenant("1").get("{ images { totalCount } }"))["images"]["totalCount"] == 1


@pytest.mark.parametrize("way", WAYS_TO_LEAVE)
async def test_when_a_client_disconnects_no_further_step_of_its_query_starts(
    databases: Databases, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_in_process(settings_for(databases.fresh(), **LONG)) as server:
        await image_with_members(server)
        field_by_field(server, monkeypatch)
        store = delay_reads(monkeypatch)

        async with WAYS_TO_LEAVE[way](server, QUERY):
            await wait_until(lambda: bool(store.started))
        await wait_until(lambda: store.lives[0].is_over)

        await ends_after_its_first_unit(server, store)


@pytest.mark.parametrize("way", CODES)
async def test_a_query_that_exceeds_its_deadline_is_refused_and_no_further_step_of_it_starts(
    databases: Databases, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = install_operation_clock(monkeypatch)
    async with run_in_process(settings_for(databases.fresh(), query_seconds=3)) as server:
        await image_with_members(server)
        field_by_field(server, monkeypatch)
        store = delay_reads(monkeypatch)

        asking = asyncio.create_task(CODES[way](server, QUERY))
        await wait_until(lambda: bool(store.started))
        clock.advance(2.9)
        assert not store.lives[0].is_over
        clock.advance(0.1)
        assert await asking == "TIMEOUT"

        await ends_after_its_first_unit(server, store)


async def test_a_planned_query_of_a_disconnected_client_never_starts(
    postgres_databases: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_in_process(settings_for(postgres_databases.fresh(), **LONG)) as server, AsyncExitStack() as lines:
        await image_with_members(server)
        store = delay_reads(monkeypatch)
        for _ in range(4):
            await lines.enter_async_context(open_request(server, QUERY))
        await wait_until(lambda: len(store.started) == 4)
        async with leave_http(server, QUERY):
            await wait_until(lambda: server.admission.in_flight == 5)
        await wait_until(lambda: len(server.connections) == 4)
        store.release()
        await wait_until(lambda: server.admission.in_flight == 0)

    assert len(store.started) == 4


async def test_a_planned_read_of_sqlite_is_interrupted_at_its_deadline(
    sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each reading of the clock finds the loop's share used up, so the statement runs in the thread.
    monkeypatch.setattr(reader, "STEPS_BETWEEN_CHECKS", 1)
    monkeypatch.setattr(reader, "LOOP_SECONDS", -1)
    clock, taken = install_operation_clock(monkeypatch), threading.Event()
    async with run_in_process(settings_for(sqlite_databases.fresh(), query_seconds=3)) as server:
        await image_with_members(server)
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i), 1 FROM n"
        run = reader._run

        def without_end(connection: sqlite3.Connection, *_: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                taken.set()
            return run(connection, endless, {}, 1_000)

        monkeypatch.setattr(reader, "_run", without_end)
        asking = asyncio.create_task(post(server, QUERY))
        await wait_until(taken.is_set)
        clock.advance(3)
        answer = await asking
        await wait_until(lambda: server.admission.in_flight == 0)

    assert answer.code == "TIMEOUT"
    assert "Ask for less at a time" in answer.content["errors"][0]["message"]


async def test_a_mutation_that_has_started_completes_and_its_key_returns_the_outcome(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = install_operation_clock(monkeypatch)
    async with run_in_process(settings_for(databases.fresh(), mutation_seconds=3)) as server:
        store, register = SlowStore(), {**IMAGE, "idempotencyKey": "first"}
        store.delay_writes(monkeypatch)
        asking = asyncio.create_task(post(server, MUTATIONS["registerImage"], input=register))
        await wait_until(lambda: bool(store.started))
        clock.advance(3)
        late = await asking
        assert (late.code, store.started, store.ended) == ("TIMEOUT", ["add"], [])
        assert "idempotencyKey" in late.content["errors"][0]["message"]

        store.release()
        await wait_until(lambda: server.admission.in_flight == 0)
        again = await post(server, MUTATIONS["registerImage"], input=register)
        listed = await server.gateway.tenant("1").get("{ images { nodes { id } } }")

    assert again.content["data"]["registerImage"]["image"]["id"] == listed["images"]["nodes"][0]["id"]
    assert len(listed["images"]["nodes"]) == len(store.started) == 1


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_mutation_that_did_not_start_in_time_never_starts(
    databases: Databases, leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = install_operation_clock(monkeypatch)
    async with run_in_process(settings_for(databases.fresh(), mutation_seconds=3)) as server:
        store = server.services.store
        async with AsyncExitStack() as held:
            await held.enter_async_context(store._turn)
            for _ in range(store.writer.pool.size()):  # type: ignore[attr-defined]
                await held.enter_async_context(store.writer.connect())
            if leaves:
                async with open_request(server, MUTATIONS["registerImage"], input=IMAGE):
                    await wait_until(lambda: server.admission.in_flight == 1)
                await wait_until(lambda: not server.connections)
            else:
                asking = asyncio.create_task(post(server, MUTATIONS["registerImage"], input=IMAGE))
                await wait_until(lambda: server.admission.in_flight == 1)
                clock.advance(3)
                late = await asking
                assert late.code == "TIMEOUT"
                assert "nothing was changed" in late.content["errors"][0]["message"]
        await wait_until(lambda: server.admission.in_flight == 0)

        assert (await server.gateway.tenant("1").get("{ images { totalCount } }"))["images"]["totalCount"] == 0


async def test_a_watch_whose_item_exceeds_its_deadline_ends_and_gets_the_item_on_resume(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = install_operation_clock(monkeypatch)
    async with run_in_process(settings_for(databases.fresh(), watch_item_seconds=3)) as server:
        owner = server.gateway.tenant("1")
        assert owner.caller is not None
        image = await owner.register()
        async with open_socket(server) as peer:
            await peer.subscribe(WATCH)
            cursor = (await peer.next_item())["cursor"]
            store = delay_reads(monkeypatch)
            await service.offer_image(server.services.ledger, owner.caller, image, ["2"], server.services.limits)
            await wait_until(lambda: bool(store.started))
            clock.advance(3)
            assert await peer.close_code() == 1013
        assert len(store.started) == 1
        store.release()
        async with open_socket(server) as peer:
            await peer.subscribe(WATCH, after=cursor)
            item = await peer.next_item()

    assert item["__typename"] == "MemberStatusChanged"
    assert len(item["member"]["image"]["members"]["nodes"]) == 1


async def test_an_item_without_watchers_starts_no_further_step(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_in_process(settings_for(databases.fresh(), **LONG)) as server:
        owner = server.gateway.tenant("1")
        assert owner.caller is not None
        image = await owner.register()
        async with open_socket(server) as peer:
            await peer.subscribe(WATCH)
            await peer.next_item()
            store = delay_reads(monkeypatch)
            await service.offer_image(server.services.ledger, owner.caller, image, ["2"], server.services.limits)
            await wait_until(lambda: bool(store.started))
        await wait_until(lambda: store.lives[0].is_over)
        store.release()
        await wait_until(lambda: bool(store.ended))
        await asyncio.sleep(0.05)  # anything that wrongly starts would have started by then

    assert len(store.started) == 1
