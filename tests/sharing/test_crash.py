"""kill -9 during mutations, and database outages: nothing acknowledged is lost, and nothing is partially done.

`pytest -m long tests/sharing/test_crash.py --rounds 1000` kills the server in the middle of 1,000 mutations.
"""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.model import Member
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.store.snapshot import read_once
from tests.harness import operations
from tests.harness.databases import Databases
from tests.harness.event_log import changes_after, member_changes_after
from tests.harness.gateway import Gateway, settings_for, start_gateway
from tests.harness.outages import database_outage
from tests.harness.server import Server, bearer, run_server

pytestmark = [pytest.mark.slow, pytest.mark.long]

CLIENTS = 8
KILLS = 2


async def test_no_acknowledged_mutation_is_lost_by_kill_9(databases: Databases, tmp_path: Path, rounds: int) -> None:
    url, mutations, random = databases.fresh(), max(60, rounds), Random(9)
    acknowledged: set[str] = set()

    for _ in range(KILLS):
        with run_server(tmp_path, database_url=url, member_quota=-1) as server:
            acknowledged |= await _offer_until_killed(server, mutations, random.randrange(mutations // 4, mutations))

    logged, rows = await _story(url)
    assert acknowledged <= set(logged)
    assert logged == rows, "what was not acknowledged was done whole or not at all"
    with run_server(tmp_path, database_url=url) as server:
        assert server.client.get("/readyz").status_code == 200


async def _offer_until_killed(server: Server, mutations: int, kill_after: int) -> set[str]:
    """Offer to one tenant after another from several clients, and return the IDs of the acknowledged memberships."""
    token = server.token("1")
    image, acknowledged, tenant_ids = server.register(token), set[str](), iter(range(100, 100 + mutations))

    async def client() -> None:
        async with httpx2.AsyncClient(timeout=30) as http:
            for tenant_id in tenant_ids:
                body = _offer(image, str(tenant_id))
                answer = await http.post(server.url, json=body, headers=bearer(token))
                acknowledged.add(answer.json()["data"]["offerImage"]["members"][0]["id"])
                if len(acknowledged) == kill_after:
                    server.process.kill()

    results = await asyncio.gather(*(client() for _ in range(CLIENTS)), return_exceptions=True)
    assert all(isinstance(result, httpx2.TransportError | None) for result in results), results
    assert len(acknowledged) >= kill_after
    return acknowledged


def _offer(image: str, tenant_id: str) -> dict[str, Any]:
    input = {"imageId": image, "tenantIds": [tenant_id]}
    return {"query": operations.MUTATIONS["offerImage"], "variables": {"input": input}}


async def _story(url: str) -> tuple[list[str], list[str]]:
    """The memberships in the log, after checking that it has no gaps, and those in the table."""
    store = Store(parse_url(url))
    changes, steps = await changes_after(store, 0), await member_changes_after(store, 0)
    rows = await read_once(store, _member_ids)
    await store.close()
    assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
    return sorted(str(step.member_id) for step in steps), sorted(rows)


async def _member_ids(conn: Any) -> list[str]:
    return list(await conn.scalars(select(col(Member.id))))


async def test_a_database_outage_causes_unavailable_until_it_is_over(
    databases: Databases,
) -> None:
    url = databases.fresh()
    async with start_gateway(settings_for(url, poll_seconds=0.05)) as gateway:
        owner, consumer = gateway.tenant("1"), gateway.tenant("2")
        image = await owner.register()
        async with consumer.watch() as items:
            await anext(items)
            with database_outage(url):
                during = await owner.execute(operations.MUTATIONS["offerImage"], input=_input(image, "2"))
            after = await _served_again(gateway, image)
            item = await anext(items)

    assert (during.code, during.data) == ("UNAVAILABLE", None)
    assert (item["kind"], item["memberId"]) == ("OFFERED", after)
    logged, rows = await _story(url)
    assert logged == rows == [after]


def _input(image: str, tenant_id: str) -> dict[str, Any]:
    return {"imageId": image, "tenantIds": [tenant_id]}


async def _served_again(gateway: Gateway, image: str) -> str:
    """Retry the offer until the gateway has reconnected to its database, and return the ID of the membership."""
    async with asyncio.timeout(30):
        while True:
            answer = await gateway.tenant("1").execute(operations.MUTATIONS["offerImage"], input=_input(image, "2"))
            if answer.code is None:
                return answer.data["offerImage"]["members"][0]["id"]
            assert answer.code == "UNAVAILABLE"


async def test_the_error_of_an_outage_reveals_nothing_about_the_database(databases: Databases) -> None:
    url = databases.fresh()
    async with start_gateway(settings_for(url)) as gateway:
        image = await gateway.tenant("1").register()
        with database_outage(url):
            write = await gateway.tenant("2").execute(operations.MUTATIONS["acceptOffer"], input={"imageId": image})
            read = await gateway.tenant("2").execute("{ images { totalCount } }")

    assert write.errors[0]["message"] == "The store can't be reached just now. Try again in a moment."
    readers_are_held_up = not url.startswith("sqlite")
    assert (write.code, read.code) == ("UNAVAILABLE", "UNAVAILABLE" if readers_are_held_up else None)
