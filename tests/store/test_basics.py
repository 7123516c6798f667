"""The store: how it is opened, migrated and written, and that it numbers its log."""

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
from tests.harness.gateway import Gateway
from tests.harness.story import changes_after
from tests.harness.world import make_world


async def test_sqlite_is_opened_durable_and_strict(sqlite_databases: SqliteDatabases) -> None:
    store = Store(parse_url(sqlite_databases.fresh()))
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}

    for engine in (store.reader, store.writer):
        async with engine.connect() as conn:
            found = {name: (await conn.execute(text(f"PRAGMA {name}"))).scalar() for name in wanted}
        assert found == wanted
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


async def test_the_migrations_make_what_the_model_says(databases: Databases) -> None:
    store = Store(parse_url(databases.fresh()))

    def differences(conn: Connection) -> list[Any]:
        return compare_metadata(MigrationContext.configure(conn), SQLModel.metadata)

    async with store.reader.connect() as conn:
        assert await conn.run_sync(differences) == []
    await store.close()


async def test_a_store_that_is_not_migrated_is_refused_and_migrating_twice_does_nothing(databases: Databases) -> None:
    store = Store(parse_url(databases.blank()))

    with pytest.raises(SetupError, match="image-gateway migrate"):
        await migrate.require_current(store)
    first = await migrate.upgrade(store)
    head = await read_once(store, log.head)
    again = await migrate.upgrade(store)

    await migrate.require_current(store)
    assert (first, head) == (again, await read_once(store, log.head))
    await store.close()


async def test_a_store_whose_log_does_not_number_itself_is_refused(databases: Databases) -> None:
    store = Store(parse_url(databases.fresh()))
    on_table = "" if store.url.get_backend_name() == "sqlite" else " ON event"
    async with store.transaction() as tx:
        await tx.conn.execute(text(f"DROP TRIGGER number_event{on_table}"))

    with pytest.raises(SetupError, match="number_event"):
        await migrate.require_current(store)
    await store.close()


async def test_no_two_stores_share_their_epoch_or_their_key(databases: Databases) -> None:
    heads: list[Any] = []
    for _ in range(2):
        store = Store(parse_url(databases.blank()))
        await migrate.upgrade(store)
        heads.append(await read_once(store, log.head))
        await store.close()

    assert heads[0].epoch != heads[1].epoch
    assert heads[0].key != heads[1].key


async def test_the_log_is_numbered_as_it_commits_and_a_rollback_takes_no_number(gateway: Gateway) -> None:
    store, world = gateway.services.store, await make_world(gateway, "pending")
    before = await read_once(store, log.head)

    with pytest.raises(RuntimeError, match="changed my mind"):
        await _append_and_roll_back(store)
    assert await read_once(store, log.head) == before
    await world.consumer.accept(world.image)

    numbers = [change.seq for change in await changes_after(store, 0)]
    assert numbers == list(range(1, before.seq + 2))


async def test_identical_offers_at_once_leave_one_row_and_one_event(gateway: Gateway) -> None:
    world = await make_world(gateway, "none")
    told = (await gateway.services.feed.head()).seq

    payloads = await asyncio.gather(*(world.owner.offer(world.image, world.consumer.id) for _ in range(10)))

    assert sum(len(payload["members"]) for payload in payloads) == 1
    assert [error["code"] for payload in payloads for error in payload["errors"]] == ["CONFLICT"] * 9
    assert (await gateway.services.feed.head()).seq == told + 1


async def test_accept_against_revoke_has_one_winner_and_the_dead_do_not_rise(gateway: Gateway) -> None:
    for _ in range(10):
        world = await make_world(gateway, "pending")

        accepted, revoked = await asyncio.gather(
            world.consumer.accept(world.image), world.owner.revoke(world.image, world.consumer.id)
        )

        assert revoked["errors"] == []
        assert accepted["member"] or accepted["errors"][0]["code"] == "NOT_FOUND"
        assert (await world.consumer.get("{ images { totalCount } }"))["images"]["totalCount"] == 0


async def test_the_same_key_at_once_is_carried_out_once(gateway: Gateway) -> None:
    world = await make_world(gateway, "none")
    input = {"imageId": world.image, "tenantIds": ["5"], "idempotencyKey": "k"}

    payloads = await asyncio.gather(*(world.owner.do("offerImage", **input) for _ in range(5)))

    assert len({payload["members"][0]["id"] for payload in payloads}) == 1


async def test_one_operation_reads_one_view_of_the_store(gateway: Gateway) -> None:
    world = await make_world(gateway, "pending")
    snapshot = Snapshot(gateway.services.store)
    before = await snapshot.read(log.head)

    await world.consumer.accept(world.image)

    assert await snapshot.read(log.head) == before
    await snapshot.renew()
    assert (await snapshot.read(log.head)).seq == before.seq + 1
    await snapshot.renew()


async def test_work_on_the_store_runs_to_its_end_when_its_caller_goes_away(gateway: Gateway) -> None:
    world = await make_world(gateway, "pending")

    async def leave() -> None:
        task = asyncio.create_task(world.consumer.accept(world.image))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for _ in range(20):
        await leave()
    async with asyncio.timeout(10):
        # As at the end of a server: the tailer would open another connection behind the close.
        await gateway.services.feed.stop()
        await gateway.services.store.close()
    assert gateway.services.store._units == set()


async def test_refused_actions_leave_no_trace(gateway: Gateway) -> None:
    world = await make_world(gateway, "pending")
    before = await _everything(gateway)

    for caller in (world.stranger, world.consumer, world.operator):
        await caller.offer(world.image, "7")
        await caller.update(world.image, name="x")
        await caller.delete(world.image)
    await world.owner.accept(world.image)
    await world.owner.update(world.image, status="QUEUED")
    await world.stranger.revoke(world.image, world.consumer.id)

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
