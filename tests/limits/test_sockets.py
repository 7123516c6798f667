"""Limits on WebSockets: connections in total and per address, message rate, message size, and budgets."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.documents.price import WATCH
from app.web.limits.budgets import BAD_TOKEN_COST, UNKNOWN_DOCUMENT_COST
from app.web.limits.socket_quota import MessageRate
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import PROTOCOL, InProcessServer, run_in_process
from tests.harness.operations import WATCH as WATCH_OFFERS
from tests.harness.sockets import WebSocketClient
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.usefixtures("reading_is_free")

LIMITS: dict[str, Any] = {
    "max_connections": 6,
    "max_connections_per_address": 2,
    "max_messages_per_second": 10,
    "max_frame_bytes": 5_000,
    "rate_per_tenant": 50,
    "burst_per_tenant": 400,
    "rate_per_address": 1,
    "burst_per_address": 100,
}


@pytest.fixture
async def server(sqlite_databases: SqliteDatabases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(sqlite_databases.fresh(), **LIMITS)) as server:
        yield server


class SocketGroup:
    """The sockets of a test, which are closed at its end."""

    def __init__(self, server: InProcessServer) -> None:
        self._server = server
        self._opened: list[Any] = []

    async def peer(self, token: str | None = None) -> WebSocketClient:
        connection = await connect(self._server.url, subprotocols=[PROTOCOL], proxy=None)
        self._opened.append(connection)
        peer = WebSocketClient(connection)
        with suppress(ConnectionClosed):  # the test asserts on the close code
            await peer.init(token)
        return peer

    async def acknowledged(self, token: str | None = None) -> WebSocketClient:
        peer = await self.peer(token)
        assert (await peer.receive())["type"] == "connection_ack"
        return peer

    async def close(self) -> None:
        await asyncio.gather(*(one.close() for one in self._opened))


@pytest.fixture
async def sockets(server: InProcessServer) -> AsyncGenerator[SocketGroup]:
    sockets = SocketGroup(server)
    yield sockets
    await sockets.close()


def _level(server: InProcessServer, level: float) -> Any:
    assert server.budgets is not None
    assert server.budgets.tenants is not None
    bucket = server.budgets.tenants.buckets.get("1")
    bucket.level = level
    return bucket


async def test_unauthenticated_sockets_are_limited_per_address_and_tenants_are_not(
    server: InProcessServer, sockets: SocketGroup
) -> None:
    for _ in range(3):
        await sockets.acknowledged(server.token)
    strangers = [await sockets.acknowledged() for _ in range(2)]

    assert await (await sockets.peer()).close_code() == 1013
    await strangers[0].connection.close()
    await wait_until(lambda: len(server.connections) == 4)
    await sockets.acknowledged()


async def test_the_total_number_of_sockets_is_limited(server: InProcessServer, sockets: SocketGroup) -> None:
    held = [await sockets.acknowledged(server.token_of(str(number))) for number in range(6)]

    assert await (await sockets.peer(server.token)).close_code() == 1013
    await held[0].connection.close()
    await wait_until(lambda: len(server.connections) == 5)
    await sockets.acknowledged(server.token)


async def test_a_flood_of_messages_is_closed_with_4429(server: InProcessServer, sockets: SocketGroup) -> None:
    peer = await sockets.acknowledged(server.token)
    for _ in range(60):
        await peer.send({"type": "ping"})

    assert await peer.close_code() == 4429


@pytest.mark.parametrize("kind", ["ping", "pong"])
async def test_control_frames_count_towards_the_message_rate(
    server: InProcessServer, sockets: SocketGroup, kind: str
) -> None:
    peer = await sockets.acknowledged(server.token)
    with suppress(ConnectionClosed):  # the socket may be closed before all are sent
        for _ in range(60):
            await getattr(peer.connection, kind)()

    assert await peer.close_code() == 4429


async def test_messages_within_the_rate_are_processed(server: InProcessServer, sockets: SocketGroup) -> None:
    peer = await sockets.acknowledged(server.token)
    for _ in range(2 * 10 - 2):
        await peer.send({"type": "ping"})
        assert await peer.receive() == {"type": "pong"}


def test_the_message_rate_recovers_with_time() -> None:
    rate = MessageRate(10, 0)

    assert [rate.allows(0) for _ in range(21)] == [True] * 20 + [False]
    assert rate.allows(0.5)


async def test_a_message_that_is_too_large_is_closed_with_1009(server: InProcessServer, sockets: SocketGroup) -> None:
    peer = await sockets.acknowledged(server.token)
    await peer.send({"type": "ping", "payload": {"filling": "x" * 5_000}})

    assert await peer.close_code() == 1009


async def test_a_new_watch_waits_for_what_it_borrowed_and_the_socket_stays_open(
    server: InProcessServer, sockets: SocketGroup
) -> None:
    peer = await sockets.acknowledged(server.token)
    bucket = _level(server, WATCH)
    await peer.subscribe(WATCH_OFFERS, "watch")
    await wait_until(lambda: bucket.level < 0)
    await peer.subscribe("{ viewer { id } }", "query")

    refused = await peer.receive()
    assert (refused["id"], refused["type"]) == ("query", "error")
    assert refused["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert refused["payload"][0]["extensions"]["retryAfter"] >= 1
    begun = await peer.receive()
    assert (begun["id"], begun["type"]) == ("watch", "next")
    assert bucket.level > -LIMITS["rate_per_tenant"]


async def test_a_watch_that_may_not_borrow_is_refused_and_a_resumed_one_is_told_to_retry(
    server: InProcessServer, sockets: SocketGroup
) -> None:
    peer = await sockets.acknowledged(server.token)
    await peer.subscribe(WATCH_OFFERS)
    cursor = (await peer.next_item())["cursor"]
    _level(server, -10 * LIMITS["rate_per_tenant"] - 50)

    await peer.subscribe(WATCH_OFFERS, "new")
    refused = await peer.receive()
    assert (refused["id"], refused["payload"][0]["extensions"]["code"]) == ("new", "RATE_LIMITED")
    await peer.subscribe(WATCH_OFFERS, "back", after=cursor)
    assert await peer.close_code() == 1013


async def test_an_unknown_hash_is_charged_until_the_budget_is_empty(
    server: InProcessServer, sockets: SocketGroup
) -> None:
    peer = await sockets.acknowledged(server.token)
    bucket = _level(server, UNKNOWN_DOCUMENT_COST)
    payload: dict[str, Any] = {"documentId": "f" * 64}

    async def code() -> str:
        await peer.send({"type": "subscribe", "id": "1", "payload": payload})
        return (await peer.receive())["payload"][0]["extensions"]["code"]

    assert [await code(), await code()] == ["PERSISTED_QUERY_NOT_FOUND", "RATE_LIMITED"]
    assert bucket.level < UNKNOWN_DOCUMENT_COST
    payload["variables"] = {"after": "a cursor"}
    await peer.send({"type": "subscribe", "id": "1", "payload": payload})
    assert await peer.close_code() == 1013


async def test_bad_tokens_are_closed_with_4401_until_the_budget_of_their_address_is_empty(
    server: InProcessServer, sockets: SocketGroup
) -> None:
    codes = [await (await sockets.peer("nonsense")).close_code() for _ in range(100 // BAD_TOKEN_COST + 1)]

    assert codes == [4401] * (100 // BAD_TOKEN_COST) + [1013]
