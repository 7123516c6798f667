"""Several server processes on one PostgreSQL, and what a server leaves behind when its clients go."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
import websockets
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection

from app.api.context import Services
from app.api.schema import build_schema
from app.main import create_app
from app.model import Role
from app.settings import Settings
from app.web.identity import SharedSecret
from tests.harness.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.harness.gateway import Gateway, settings_for
from tests.harness.operations import WATCH
from tests.harness.server import serving
from tests.harness.sockets import connected

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60
PROTOCOL = websockets.Subprotocol("graphql-transport-ws")


async def test_what_is_done_at_one_worker_is_heard_at_another_in_the_same_order(
    postgres_databases: PostgresDatabases, tmp_path: Path
) -> None:
    url = postgres_databases.fresh()
    first_folder, second_folder = tmp_path / "first", tmp_path / "second"
    first_folder.mkdir()
    second_folder.mkdir()
    with serving(first_folder, database_url=url) as first, serving(second_folder, database_url=url) as second:
        owner, consumer = first.token("1"), first.token("2")
        async with connected(first, consumer) as here, connected(second, consumer) as there:
            for peer in (here, there):
                await peer.subscribe(WATCH)
                await peer.item()
            image = first.register(owner)
            first.do("offerImage", owner, imageId=image, tenantIds=["2"])
            second.do("acceptOffer", consumer, imageId=image)
            first.do("revokeMember", owner, imageId=image, tenantId="2")
            heard = [[await peer.item() for _ in range(3)] for peer in (here, there)]

    assert [item["kind"] for item in heard[0]] == ["OFFERED", "ANSWERED", "REVOKED"]
    assert [item["cursor"] for item in heard[0]] == [item["cursor"] for item in heard[1]]


async def test_a_flood_of_sockets_that_vanish_leaves_no_task_behind(databases: Databases) -> None:
    settings = settings_for(databases.fresh())
    async with _in_this_process(create_app(settings)) as url:
        before = len(asyncio.all_tasks())
        await asyncio.gather(*(_open_and_vanish(url, _token(settings)) for _ in range(30)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.05)


async def test_clients_that_do_not_read_their_answers_hold_nothing_of_the_store(
    sqlite_databases: SqliteDatabases,
) -> None:
    app = create_app(settings := settings_for(sqlite_databases.fresh()))
    async with _in_this_process(app) as url:
        services: Services = app.state.services
        owner = Gateway(services, build_schema(settings)).tenant("1")
        for number in range(60):
            await owner.register(tags=[f"{number} {tag} " + "x" * 240 for tag in range(50)])
        async with websockets.connect(
            url, subprotocols=[PROTOCOL], max_queue=1, max_size=None, compression=None
        ) as silent:
            await _ask_and_do_not_read(silent, _token(settings))
            async with asyncio.timeout(PATIENCE_SECONDS):
                await owner.get("{ images { totalCount } }")
                for _ in range(20):
                    await services.feed.head()
                while services.store.reader.pool.checkedout():  # type: ignore[attr-defined]
                    await asyncio.sleep(0.01)
            silent.transport.abort()


async def _ask_and_do_not_read(silent: ClientConnection, token: str) -> None:
    await silent.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}))
    await silent.recv()
    for number in range(30):
        payload = {"query": "{ images(first: 60) { nodes { tags } } }"}
        await silent.send(json.dumps({"type": "subscribe", "id": str(number), "payload": payload}))


@asynccontextmanager
async def _in_this_process(app: Starlette) -> AsyncGenerator[str]:
    """The gateway on a socket of this process, so that its tasks and connections can be counted; its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, ws="websockets-sansio", log_config=None))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/graphql"
    finally:
        server.should_exit = True
        await serving


def _token(settings: Settings) -> str:
    return SharedSecret(settings).mint("1", frozenset({Role.ADMIN}), timedelta(hours=1), "tests")


async def _open_and_vanish(url: str, token: str) -> None:
    """Begin 20 operations, ten watches among them, and cut the line without a word."""
    async with websockets.connect(url, subprotocols=[PROTOCOL]) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}))
        for number in range(20):
            query = WATCH if number % 2 else "{ images { totalCount } }"
            await socket.send(json.dumps({"type": "subscribe", "id": str(number), "payload": {"query": query}}))
        await socket.recv()
        socket.transport.abort()
