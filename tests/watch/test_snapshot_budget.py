"""A snapshot is charged by its items, and waits for the budget, on every transport."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.documents.price import WATCH as PRICE_OF_A_START
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import PROTOCOL, InProcessServer, run_in_process
from tests.harness.sockets import WebSocketClient, connect
from tests.watch.test_turns import item_of

ITEMS = 12
SNAPSHOT = "subscription { watchOffers(initial: SNAPSHOT) { __typename cursor ... on MemberState { tenant { id } } } }"
COST_OF_AN_ITEM = 5
BRIM = 400


@pytest.fixture
async def charged(databases: Databases, reading_is_free: None) -> AsyncGenerator[InProcessServer]:
    settings = settings_for(databases.fresh(), rate_per_tenant=1, burst_per_tenant=BRIM)
    async with run_in_process(settings) as server:
        assert server.budgets is not None
        assert server.budgets.tenants is not None
        budget = server.budgets.tenants
        now = budget.buckets.clock()
        budget.buckets.clock = lambda: now  # the budget refills only when the test does it
        budget.unsettled = None
        yield server


@asynccontextmanager
async def streaming(server: InProcessServer, transport: str) -> AsyncGenerator[Callable[[], Awaitable[Any]]]:
    """A watch with a snapshot over a transport, as a function that returns its next item."""
    if transport == "websocket":
        async with connect(server.url, subprotocols=[PROTOCOL], proxy=None) as connection:
            peer = WebSocketClient(connection)
            await peer.init(server.token)
            assert (await peer.receive())["type"] == "connection_ack"
            await peer.subscribe(SNAPSHOT)
            yield peer.next_item
        return
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {server.token}"}
    url = server.url.replace("ws", "http", 1)
    async with (
        httpx2.AsyncClient(trust_env=False, verify=False, headers=headers, timeout=60) as client,
        client.stream("POST", url, json={"query": SNAPSHOT}) as response,
    ):
        lines = response.aiter_lines()

        async def item() -> Any:
            async for line in lines:
                if line.startswith("data: "):
                    return item_of(line.removeprefix("data: ").encode())
            raise AssertionError("the stream has ended")

        yield item


@pytest.mark.parametrize("transport", ["websocket", "events"])
async def test_a_snapshot_is_charged_by_its_items_and_waits_for_the_budget(
    charged: InProcessServer, transport: str
) -> None:
    owner = charged.gateway.tenant("1")
    image = await owner.register()
    await owner.offer(image, *(str(100 + number) for number in range(ITEMS)))
    assert charged.budgets is not None
    assert charged.budgets.tenants is not None
    bucket = charged.budgets.tenants.buckets.get("1")
    bucket.level = PRICE_OF_A_START + COST_OF_AN_ITEM + 6 * COST_OF_AN_ITEM
    async with streaming(charged, transport) as item:
        first = [await item() for _ in range(6)]
        waiting = asyncio.ensure_future(item())
        # The absence of an item can only be observed by waiting.
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert bucket.level == 0
        bucket.level = float(BRIM)
        rest = [await waiting, *[await item() for _ in range(6)]]

    items_in_order = [*first, *rest]
    assert sorted(one["tenant"]["id"] for one in items_in_order[:-1]) == [str(100 + number) for number in range(ITEMS)]
    assert items_in_order[-1]["__typename"] == "WatchSynced"
    assert bucket.level == BRIM - 6 * COST_OF_AN_ITEM


@pytest.mark.parametrize("transport", ["websocket", "events"])
async def test_a_watch_may_borrow_on_every_transport(charged: InProcessServer, transport: str) -> None:
    assert charged.budgets is not None
    assert charged.budgets.tenants is not None
    budget = charged.budgets.tenants
    budget._max_debt = 1_000
    budget.rate = 1_000  # what was borrowed is earned in a moment
    budget.buckets.get("1").level = 1.0

    async with streaming(charged, transport) as item:
        assert (await item())["__typename"] == "WatchSynced"
