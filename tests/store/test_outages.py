"""Outages of the store: nothing hangs, nothing is partially done, and service recovers."""

import asyncio
from contextlib import AsyncExitStack, aclosing

import psycopg
import pytest
from sqlalchemy import text

from app.errors import Unavailable
from app.model import MemberStatus
from app.sharing import service
from app.sharing.ledger import Ledger
from app.store import log
from app.store.snapshot import Snapshot
from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import Gateway, refusal_code, settings_for, start_gateway
from tests.harness.scenario import make_scenario


async def test_a_snapshot_whose_connection_is_lost_ends_quietly_and_the_next_one_works(
    postgres_databases: PostgresDatabases,
) -> None:
    url = postgres_databases.fresh()
    async with start_gateway(settings_for(url)) as gateway:
        snapshot = Snapshot(gateway.services.store)
        await snapshot.read(log.head)
        _end_all_sessions(url)
        with pytest.raises(Unavailable):
            await snapshot.read(log.head)
        await snapshot.renew()
        assert (await snapshot.read(log.head)).seq == 0
        _end_all_sessions(url)
        await snapshot.renew()
        assert (await snapshot.read(log.head)).seq == 0
        await snapshot.renew()


@pytest.mark.slow
async def test_waiting_for_a_lock_times_out_as_unavailable_and_does_not_delay_shutdown(
    postgres_databases: PostgresDatabases,
) -> None:
    url = postgres_databases.fresh()
    with psycopg.connect(url.replace("+psycopg", "")) as elsewhere:
        async with start_gateway(settings_for(url)) as gateway:
            scenario = await make_scenario(gateway, "pending")
            elsewhere.execute("SELECT 1 FROM image FOR UPDATE")
            answer = await scenario.owner.execute(
                f'mutation {{ deleteImage(input: {{id: "{scenario.image}"}}) {{ deletedImageId }} }}'
            )
            assert (answer.code, answer.data) == ("UNAVAILABLE", None)
            elsewhere.rollback()
            assert refusal_code(await scenario.owner.delete(scenario.image)) == "ok"


async def test_clients_that_hold_every_connection_do_not_block_the_feed(gateway: Gateway) -> None:
    scenario = await make_scenario(gateway, "pending")
    store, feed, consumer = gateway.services.store, gateway.services.feed, scenario.consumer.caller
    assert consumer is not None
    position = (await feed.head()).seq
    async with AsyncExitStack() as held:
        for _ in range(store.reader.pool.size()):  # type: ignore[attr-defined]
            conn = await held.enter_async_context(store.reader.connect())
            await conn.execute(text("SELECT 1"))
        await service.answer_offer(Ledger(store), consumer, scenario.image, MemberStatus.ACCEPTED)
        async with (
            asyncio.timeout(10),
            aclosing(feed.follow(consumer, lambda _: True, position, 60, feed.seal)) as items,
        ):
            item = await anext(items)

    assert item.change is not None
    assert item.change.entry.status is MemberStatus.ACCEPTED


def _end_all_sessions(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database()"
        )
