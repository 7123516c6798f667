"""The log under concurrent writers: reading after the last number misses nothing, in commit order."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.store import log
from app.store.snapshot import read_once
from tests.harness.databases import Databases, PostgresDatabases
from tests.harness.gateway import Gateway, refusal_code, settings_for, start_gateway

pytestmark = pytest.mark.slow
WRITERS = 16


async def test_a_reader_gets_every_event_once_and_each_membership_in_its_own_order(
    databases: Databases, rounds: int
) -> None:
    settings = settings_for(databases.fresh(), member_quota=-1)
    async with start_gateway(settings) as first, start_gateway(settings) as second:
        owner = first.tenant("1")
        images = [await owner.register() for _ in range(2)]
        done = asyncio.Event()
        reader = asyncio.create_task(_read_all(second, done))
        times = max(3, rounds // 5)
        writers = [_write((first, second)[n % 2], images, str(100 + n), times) for n in range(WRITERS)]
        acknowledged = sum(await asyncio.gather(*writers))
        done.set()
        read = await reader
        head = await first.services.feed.head()

    assert [change.seq for change in read] == list(range(1, head.seq + 1))
    steps = [change.entry for change in read if change.entry.kind is not None]
    assert len(steps) == acknowledged
    present: dict[str | None, Any] = {}
    for step in steps:
        assert present.get(step.member_id) == step.previous_status, "a step begins where the one before it ended"
        present[step.member_id] = step.status


async def _write(gateway: Gateway, images: list[str], consumer_id: str, rounds: int) -> int:
    """Offer, answer and revoke, with some refusals, and return the number of acknowledged steps."""
    owner, consumer = gateway.tenant("1"), gateway.tenant(consumer_id)
    dice, steps = random.Random(consumer_id), 0
    for _ in range(rounds):
        image = dice.choice(images)
        acts = [
            owner.offer(image, consumer_id),
            consumer.accept(image),
            owner.offer(image, consumer_id),
            consumer.reject(image),
            owner.revoke(image, consumer_id),
        ]
        codes = [refusal_code(await act) for act in acts]
        assert codes == ["ok", "ok", "CONFLICT", "ok", "ok"]
        steps += 4
    return steps


async def _read_all(gateway: Gateway, done: asyncio.Event) -> list[Any]:
    """Poll for events after the last number, as the tailer does."""
    read: list[Any] = []
    while True:
        finishing = done.is_set()
        page = await read_once(gateway.services.store, log.read_after, read[-1].seq if read else 0, 1_000)
        read += page.changes
        if finishing and not page.changes:
            return read
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("numbered_at_commit", [True, False])
async def test_numbers_assigned_before_the_commit_lose_events(
    postgres_databases: PostgresDatabases, numbered_at_commit: bool
) -> None:
    url = postgres_databases.fresh().replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE TABLE naive (id bigserial PRIMARY KEY)")
    table, number = ("event", "seq") if numbered_at_commit else ("naive", "id")
    done = asyncio.Event()
    reader = asyncio.create_task(_poll(url, f"SELECT {number} FROM {table} WHERE {number} > %s ORDER BY 1", done))
    write = _append_event if numbered_at_commit else _append_naively
    await asyncio.gather(*(_transactions(url, write, seed) for seed in range(WRITERS)))
    done.set()
    lost = WRITERS * 20 - len(await reader)

    assert (lost == 0) if numbered_at_commit else (lost > 0), lost


async def _transactions(url: str, write: Callable[[Any], Any], seed: int) -> None:
    """Run transactions that pause between writing and committing, like those of real clients."""
    dice = random.Random(seed)
    async with await psycopg.AsyncConnection.connect(url) as conn:
        for _ in range(20):
            await write(conn)
            await asyncio.sleep(dice.uniform(0, 0.01))
            await conn.commit()


async def _append_naively(conn: Any) -> None:
    await conn.execute("INSERT INTO naive DEFAULT VALUES")


async def _append_event(conn: Any) -> None:
    await conn.execute(
        "INSERT INTO event (occurred_at, kind, status, member_id, image_id, owner_id, tenant_id, actor_id) "
        "VALUES (now(), 'OFFERED', 'PENDING', 'm', 'i', '1', '2', '1')"
    )


async def _poll(url: str, query: str, done: asyncio.Event) -> list[int]:
    seen: list[int] = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        while True:
            finishing = done.is_set()
            rows = await (await conn.execute(query.encode(), [seen[-1] if seen else 0])).fetchall()
            seen += [row[0] for row in rows]
            if finishing and not rows:
                return seen
            await asyncio.sleep(0.001)
