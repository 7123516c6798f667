"""Overload: a limited number of operations wait, and the others are refused at once."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.store.engines import engine
from app.store.plan import pooled
from tests.harness.databases import Databases, PostgresDatabases
from tests.harness.gateway import IMAGE, settings_for
from tests.harness.inprocess import run_in_process
from tests.harness.operations import MUTATIONS, WATCH
from tests.harness.raw_clients import CODES, EVENTS, RawResponse, get, leave_http, open_request, open_socket, post
from tests.harness.slow_store import SlowStore, delay_reads
from tests.harness.waiting import wait_until
from tests.limits.test_deadlines import LONG, QUERY, field_by_field, image_with_members

ROOM, ASKED = 5, 50


async def test_of_ten_times_the_capacity_a_limited_number_waits_and_the_rest_is_refused_at_once(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(databases.fresh(), max_operations=ROOM, mutation_seconds=60)
    async with run_in_process(settings) as server:
        store = SlowStore()
        store.delay_writes(monkeypatch)
        mutation = MUTATIONS["registerImage"]
        names = [f"image {number}" for number in range(ASKED)]
        asking = {name: asyncio.create_task(post(server, mutation, input={**IMAGE, "name": name})) for name in names}
        await wait_until(lambda: sum(one.done() for one in asking.values()) == ASKED - ROOM)
        # Nothing has completed yet, so the refusals did not wait for anything.
        assert (server.admission.in_flight, server.admission.shed, store.ended) == (ROOM, ASKED - ROOM, [])
        shed = [one.result() for one in asking.values() if one.done()]
        store.release()
        answers = {name: await one for name, one in asking.items()}
        listed = await server.gateway.tenant("1").get("{ images(first: 100) { nodes { name } } }")

    assert {(one.status, one.code, one.headers["retry-after"]) for one in shed} == {(503, "UNAVAILABLE", "1")}
    done = sorted(name for name, answer in answers.items() if answer.status == 200)
    assert len(done) == ROOM
    assert sorted(node["name"] for node in listed["images"]["nodes"]) == done
    assert server.admission.in_flight == 0


async def test_a_full_process_refuses_operations_on_an_open_socket_and_sends_watches_elsewhere(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_in_process(settings_for(databases.fresh(), max_operations=1)) as server:
        await image_with_members(server)
        field_by_field(server, monkeypatch)
        async with open_socket(server) as early:
            await early.subscribe(WATCH, "watch")
            await early.receive()
            store = delay_reads(monkeypatch)
            async with leave_http(server, QUERY):
                await wait_until(lambda: bool(store.started))
                for way, code in CODES.items():
                    if way != "events":
                        assert await code(server, QUERY) == "UNAVAILABLE"
                async with open_request(server, WATCH, EVENTS) as line:
                    assert RawResponse(await line.read()).status == 503
                async with open_socket(server) as late:
                    await late.subscribe(WATCH)
                    assert await late.close_code() == 1013
                for path in ("/livez", "/readyz", "/metrics"):
                    assert (await get(server, path)).status == 200
            store.release()


async def test_an_abandoned_operation_keeps_its_slot_until_its_step_has_ended(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_in_process(settings_for(databases.fresh(), max_operations=3, **LONG)) as server:
        await image_with_members(server)
        field_by_field(server, monkeypatch)
        store = delay_reads(monkeypatch)
        for number in range(3):
            async with leave_http(server, QUERY):
                await wait_until(lambda wanted=number + 1: len(store.started) == wanted)
        await wait_until(lambda: not server.connections)
        shed = await post(server, QUERY)
        store.release()
        await wait_until(lambda: server.admission.in_flight == 0)
        taken_on = await post(server, QUERY)

    assert (shed.status, shed.code) == (503, "UNAVAILABLE")
    assert taken_on.status == 200


async def test_an_operation_without_a_connection_in_time_is_told_to_retry(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "POOL_SECONDS", 0.2)
    async with run_in_process(settings_for(databases.fresh())) as server, AsyncExitStack() as held:
        field_by_field(server, monkeypatch)
        store = server.services.store
        for _ in range(store.reader.pool.size()):  # type: ignore[attr-defined]
            await held.enter_async_context(store.reader.connect())
        answer = await post(server, QUERY)

    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "UNAVAILABLE", "1")


async def test_a_plan_without_a_connection_in_time_is_told_to_retry(
    postgres_databases: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooled, "PATIENCE_SECONDS", 0.2)
    async with run_in_process(settings_for(postgres_databases.fresh())) as server, AsyncExitStack() as lines:
        store = delay_reads(monkeypatch)
        for _ in range(pooled.CONNECTIONS):
            await lines.enter_async_context(open_request(server, QUERY))
        await wait_until(lambda: len(store.started) == pooled.CONNECTIONS)
        answer = await post(server, QUERY)
        store.release()

    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "UNAVAILABLE", "1")
