"""The Python client of the watch: which failures end it, and which must not."""

import asyncio
import json
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from app import client
from app.client import CursorFile, WatchEnded, watch
from tests.harness.operations import WATCH
from tests.harness.server import Server, run_server
from tests.harness.sockets import connect_socket
from tests.harness.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

SNAPSHOT = WATCH.replace("initial: $initial", "initial: SNAPSHOT").replace(
    "$initial: WatchInitial! = CHANGES, ", ""
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    with run_server(tmp_path_factory.mktemp("client"), max_watches_per_tenant=1, member_quota=-1) as server:
        yield server


async def test_a_slow_consumer_receives_its_whole_snapshot(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # Pings queue behind unread messages, so a missing pong must not end the connection.
    monkeypatch.setattr(client, "connect", partial(connect, ping_interval=0.2, ping_timeout=0.2))
    owner = server.token("1")
    for _ in range(3):
        tenants = [str(number) for number in range(1_000, 1_100)]
        server.do("offerImage", owner, imageId=server.register(owner), tenantIds=tenants)

    types: list[str] = []
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(_watch(server, "1", SNAPSHOT)) as items:
        async for item in items:
            types.append(item["__typename"])
            if types[-1] in ("WatchSynced", "WatchReset"):
                break
            await asyncio.sleep(0.01)  # the consumer is slow

    assert types == ["MemberState"] * 300 + ["WatchSynced"]


async def test_a_cursor_that_cannot_be_stored_is_an_error_and_not_retried_forever(
    server: Server, tmp_path: Path
) -> None:
    nowhere = CursorFile(tmp_path / "not there" / "cursor")

    items = _watch(server, "2", cursors=nowhere)
    await anext(items)

    with pytest.raises(FileNotFoundError):
        await asyncio.wait_for(anext(items), PATIENCE_SECONDS)


async def test_a_watch_over_the_limit_is_retried(server: Server) -> None:
    async with connect_socket(server, server.token("3")) as other:
        await other.subscribe(WATCH)
        await other.next_item()
        items = _watch(server, "3")
        first = asyncio.ensure_future(anext(items))
        await asyncio.sleep(0.5)  # long enough for it to have been refused once
        assert not first.done()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await first)["__typename"] == "WatchBookmark"
    await items.aclose()


async def test_an_item_that_cannot_be_produced_ends_the_watch_with_its_errors() -> None:
    payload = {"data": None, "errors": [{"message": "Something went wrong."}], "extensions": {"cursor": "c"}}
    async with _serve_message({"type": "next", "id": "1", "payload": payload}) as url:
        with pytest.raises(WatchEnded) as ended:
            await anext(watch(url, WATCH, token=lambda: "t"))

    assert ended.value.errors == payload["errors"]


async def _watch(server: Server, tenant_id: str, query: str = WATCH, **options: Any) -> AsyncGenerator[Any]:
    token = server.token(tenant_id)
    async with aclosing(watch(server.ws_url, query, token=lambda: token, **options)) as items:
        async for data in items:
            yield data["watchOffers"]


@asynccontextmanager
async def _serve_message(message: dict[str, Any]) -> AsyncGenerator[str]:
    """A server that acknowledges every client and sends it one message."""

    async def talk(line: ServerConnection) -> None:
        await line.recv()
        await line.send(json.dumps({"type": "connection_ack"}))
        await line.recv()
        await line.send(json.dumps(message))
        await line.wait_closed()

    async with serve(talk, "127.0.0.1", 0, subprotocols=[Subprotocol("graphql-transport-ws")]) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/graphql"
