"""The store: opening, migrating, writing, and the numbering of the log."""

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

from app.errors import SetupError
from app.model import LogEntry
from app.store import imports as imports
from app.store import log, migrate
from app.store import mirror_tables as mirror_tables  # completes the metadata
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.store.engines.transaction import Transaction
from app.store.snapshot import Snapshot, read_once
from tests.harness.databases import Databases, SqliteDatabases
from tests.harness.event_log import changes_after
from tests.harness.gateway import Gateway
from tests.harness.scenario import make_scenario


async def test_sqlite_is_opened_with_durability_and_strict_types(sqlite_databases: SqliteDatabases) -> None:
    store = Store(parse_url(sqlite_databases.fresh()))
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}

    for engine in (store.reader, store.writer):
        async with engine.connect() as conn:
            found = {name: (await conn.execute(text(f"PRAGMA {name}"))).scalar() for name in expected}
        assert found == expected
    await store.close()


async def test_writers_begin_immediately_and_readers_do_not(sqlite_databases: SqliteDatabases) -> None:
    store = Store(parse_url(sqlite_databases.fresh()))
    said: list[str] = []

    from sqlalchemy import event

    for engine in (store.reader, store.writer):
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    async with store.transaction():
        pass
    await read_once(store, log.head)

    assert [statement for statement in said if statement.startswith("BEGIN")] == ["BEGIN IMMEDIATE", "BEGIN"]
    await store.close()


async def test_the_migrations_match_the_model(databases: Databases) -> None:
    store = Store(parse_url(databases.fresh()))

    def differences(conn: Connection) -> list[Any]:
        return compare_metadata(MigrationContext.configure(conn), SQLModel.metadata)

    async with store.reader.connect() as conn:
        assert await conn.run_sync(differences) == []
    await store.close()


async def test_an_unmigrated_store_is_refused_and_migrating_twice_has_no_effect(databases: Databases) -> None:
    store = Store(parse_url(databases.blank()))

    with pytest.raises(SetupError, match="image-gateway migrate"):
        await migrate.require_current(store)
    first = await migrate.upgrade(store)
    head = await read_once(store, log.head)
    again = await migrate.upgrade(store)

    await migrate.require_current(store)
    assert (first, head) == (again, await read_once(store, log.head))
    await store.close()


async def test_a_store_without_the_numbering_trigger_is_refused(databases: Databases) -> None:
    store = Store(parse_url(databases.fresh()))
    on_table = "" if store.url.get_backend_name() == "sqlite" else " ON event"
    async with store.transaction() as tx:
        await tx.conn.execute(text(f"DROP TRIGGER number_event{on_table}"))

    with pytest.raises(SetupError, match="number_event"):
        await migrate.require_current(store)
    await store.close()


async def test_every_store_has_its_own_epoch_and_key(databases: Databases) -> None:
    heads: list[Any] = []
    for _ in range(2):
        store = Store(parse_url(databases.blank()))
        await migrate.upgrade(store)
        heads.append(await read_once(store, log.head))
        await store.close()

    assert heads[0].epoch != heads[1].epoch
    assert heads[0].key != heads[1].key


async def test_the_log_is_numbered_in_commit_order_and_a_rollback_leaves_no_gap(gateway: Gateway) -> None:
    store, scenario = gateway.services.store, await make_scenario(gateway, "pending")
    before = await read_once(store, log.head)

    with pytest.raises(RuntimeError, match="changed my mind"):
        await _append_and_roll_back(store)
    assert await read_once(store, log.head) == before
    await scenario.consumer.accept(scenario.image)

    numbers = [change.seq for change in await changes_after(store, 0)]
    assert numbers == list(range(1, before.seq + 2))


async def test_concurrent_identical_offers_leave_one_row_and_one_event(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "none")
    head_before = (await gateway.services.feed.head()).seq

    payloads = await asyncio.gather(*(scenario.owner.offer(scenario.image, scenario.consumer.id) for _ in range(10)))

    assert sum(len(payload["members"]) for payload in payloads) == 1
    assert [error["code"] for payload in payloads for error in payload["errors"]] == ["CONFLICT"] * 9
    assert (await gateway.services.feed.head()).seq == head_before + 1


async def test_accept_against_revoke_has_one_winner_and_a_revoked_row_is_not_revived(gateway: Gateway) -> None:
    for _ in range(10):
        scenario = await make_scenario(gateway, "pending")

        accepted, revoked = await asyncio.gather(
            scenario.consumer.accept(scenario.image), scenario.owner.revoke(scenario.image, scenario.consumer.id)
        )

        assert revoked["errors"] == []
        assert accepted["member"] or accepted["errors"][0]["code"] == "NOT_FOUND"
        assert (await scenario.consumer.get("{ images { totalCount } }"))["images"]["totalCount"] == 0


async def test_concurrent_requests_with_one_idempotency_key_are_executed_once(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "none")
    input = {"imageId": scenario.image, "tenantIds": ["5"], "idempotencyKey": "k"}

    payloads = await asyncio.gather(*(scenario.owner.do("offerImage", **input) for _ in range(5)))

    assert len({payload["members"][0]["id"] for payload in payloads}) == 1


async def test_one_operation_reads_one_view_of_the_store(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    snapshot = Snapshot(gateway.services.store)
    before = await snapshot.read(log.head)

    await scenario.consumer.accept(scenario.image)

    assert await snapshot.read(log.head) == before
    await snapshot.renew()
    assert (await snapshot.read(log.head)).seq == before.seq + 1
    await snapshot.renew()


async def test_a_transaction_completes_when_its_caller_is_cancelled(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")

    async def leave() -> None:
        task = asyncio.create_task(scenario.consumer.accept(scenario.image))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for _ in range(20):
        await leave()
    async with asyncio.timeout(10):
        # As at shutdown: otherwise the tailer would open another connection after the close.
        await gateway.services.feed.stop()
        await gateway.services.store.close()
    assert gateway.services.store._units == set()


async def test_refused_actions_leave_no_trace(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    before = await _everything(gateway)

    for caller in (scenario.stranger, scenario.consumer, scenario.operator):
        await caller.offer(scenario.image, "7")
        await caller.update(scenario.image, name="x")
        await caller.delete(scenario.image)
    await scenario.owner.accept(scenario.image)
    await scenario.owner.update(scenario.image, status="QUEUED")
    await scenario.stranger.revoke(scenario.image, scenario.consumer.id)

    assert await _everything(gateway) == before


async def _append_and_roll_back(store: Store) -> None:
    async with store.transaction() as tx:
        await _append_like_the_last(tx, store)
        raise RuntimeError("changed my mind")


async def _append_like_the_last(tx: Transaction, store: Store) -> None:
    [*_, last] = await changes_after(store, 0)
    columns = ["occurred_at", *LogEntry._fields]
    names, marks = (
        ", ".join(columns),
        ", ".join(f"(SELECT {name} FROM event WHERE seq = {last.seq})" for name in columns),
    )
    await tx.conn.execute(text(f"INSERT INTO event ({names}) SELECT {marks}"))


async def _everything(gateway: Gateway) -> dict[str, list[Any]]:
    tables = ("image", "member", "event", "event_head", "recorded_outcome")
    async with gateway.services.store.reader.connect() as conn:
        return {name: sorted(map(str, await conn.execute(text(f"SELECT * FROM {name}")))) for name in tables}
