"""The writer of the embedded store: waiting actions share a transaction, and nothing else."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from app.errors import Unavailable
from app.model import ChangeKind, LogEntry
from app.store import log
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.store.engines.prepared import Prepared
from app.store.engines.sqlite_direct import WritingConnection
from app.store.engines.transaction import Transaction
from app.store.snapshot import read_once
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import Gateway, refusal_code
from tests.harness.scenario import make_scenario
from tests.harness.statements import record_statements

NEWS = LogEntry(image_id="1", owner_id="1", tenant_id="2", actor_id="1", kind=ChangeKind.OFFERED)


@pytest.fixture
async def store(sqlite_databases: SqliteDatabases) -> AsyncGenerator[Store]:
    store = Store(parse_url(sqlite_databases.fresh()))
    yield store
    await store.close()


async def _write(tx: Transaction) -> int:
    await log.append(tx, [NEWS])
    return (await log.head(tx.conn)).seq


async def _write_and_fail(tx: Transaction) -> int:
    await log.append(tx, [NEWS])
    raise ValueError("changed my mind")


async def test_waiting_actions_share_one_transaction_and_are_numbered_in_order(store: Store) -> None:
    await store.act(_write)
    begun: list[str] = []
    with patch.object(WritingConnection, "begin", _noting(begun, WritingConnection.begin)):
        numbers = await asyncio.gather(*(store.act(_write) for _ in range(20)))

    assert numbers == list(range(2, 22))
    assert len(begun) < 3


async def test_a_failing_action_does_not_undo_the_others_of_its_transaction(store: Store) -> None:
    works = [_write, _write_and_fail, _write]
    answers = await asyncio.gather(*(store.act(work) for work in works), return_exceptions=True)

    assert (answers[0], str(answers[1]), answers[2]) == (1, "changed my mind", 2)
    assert (await read_once(store, log.head)).seq == 2


async def test_an_action_of_many_rows_does_not_block_the_event_loop(store: Store) -> None:
    threads: list[str] = []

    async def write_many(tx: Transaction) -> None:
        await log.append(tx, [NEWS] * 5_000)
        threads.append(threading.current_thread().name)

    ticks = 0
    writing = asyncio.create_task(store.act(write_many))
    while not writing.done():
        await asyncio.sleep(0.001)  # other work
        ticks += 1

    assert (threads, ticks > 10) == (["MainThread"], True)


async def test_actions_whose_commit_fails_all_fail_and_leave_nothing(store: Store) -> None:
    async def full(_: WritingConnection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with patch.object(WritingConnection, "commit", full):
        answers = await asyncio.gather(*(store.act(_write) for _ in range(3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert await store.act(_write) == 1


async def test_an_action_of_a_cancelled_caller_completes_and_so_does_the_next(store: Store) -> None:
    gone = asyncio.create_task(store.act(_write))
    await asyncio.sleep(0)  # the action is waiting by now
    gone.cancel()
    assert await store.act(_write) == 2


async def test_the_write_ahead_log_stays_short(store: Store) -> None:
    pages = Path(f"{store.url.database}-wal")
    longest = 0
    for _ in range(600):
        await store.act(_write)
        longest = max(longest, (await asyncio.to_thread(pages.stat)).st_size)

    head = await read_once(store, log.head)
    assert (head.seq, longest < 6 * 2**20) == (600, True)


async def test_other_writers_alternate_with_the_actions(store: Store) -> None:
    async with store.transaction() as tx:
        action = asyncio.create_task(store.act(_write))
        await log.append(tx, [NEWS])
        await asyncio.sleep(0.05)  # by now the action would have run in between
        assert not action.done()
    assert await action == 2


async def test_an_offer_and_an_acceptance_are_one_round_trip_of_prepared_statements(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "none")
    await scenario.owner.offer(scenario.image, "77")
    await gateway.services.feed.stop()  # which also reads with prepared statements
    compiled: list[str] = []
    with (
        record_statements(gateway) as sent,
        patch.object(Prepared, "_compiled", _noting(compiled, Prepared._compiled)),  # pyright: ignore[reportPrivateUsage]  # the test is about this function
    ):
        assert refusal_code(await scenario.owner.offer(scenario.image, scenario.consumer.id)) == "ok"
        offered = len(compiled)
        assert refusal_code(await scenario.consumer.accept(scenario.image)) == "ok"

    is_sqlite = gateway.services.store.url.get_backend_name() == "sqlite"
    # PostgreSQL also locks the image. Everything sent was prepared.
    assert (offered, len(compiled) - offered) == ((5, 4) if is_sqlite else (6, 5))
    assert len(sent) == len(compiled)


def _noting(noted: list[str], real: Any) -> Any:
    def note(self: Any, *args: Any) -> Any:
        noted.append("called")
        return real(self, *args)

    return note
