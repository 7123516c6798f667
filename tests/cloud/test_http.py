"""Keystone's tokens over HTTP and over WebSocket."""

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets

from tests.cloud.cloud import Cloud
from tests.cloud.gateway import front_settings
from tests.harness.databases import SqliteDatabases
from tests.harness.server import Server, run_server

pytestmark = pytest.mark.cloud
VIEWER = {"query": "{ viewer { id } }"}


@pytest.fixture(scope="module")
async def server(
    cloud: Cloud, sqlite_databases: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Server]:
    settings: dict[str, Any] = {**front_settings(cloud), "upstream_token_cache_seconds": 0.5}
    with run_server(tmp_path_factory.mktemp("server"), database_url=sqlite_databases.fresh(), **settings) as server:
        yield server


@pytest.fixture
def patient_server(cloud: Cloud, sqlite_databases: SqliteDatabases, tmp_path: Path) -> Generator[Server]:
    """A server that asks Keystone once in a minute: what ends before does so by itself."""
    settings: dict[str, Any] = {**front_settings(cloud), "upstream_token_cache_seconds": 60}
    with run_server(tmp_path, database_url=sqlite_databases.fresh(), **settings) as server:
        yield server


async def ask(server: Server, headers: dict[str, str]) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=60) as client:
        return await client.post(server.url, json=VIEWER, headers=headers)


async def test_a_token_counts_as_a_bearer_and_in_keystones_own_header(server: Server, cloud: Cloud) -> None:
    token, project = await cloud.token("consumer"), cloud.projects["consumer"]

    for headers in ({"X-Auth-Token": token}, {"Authorization": f"Bearer {token}"}):
        for _ in range(2):  # confirmed, and remembered
            response = await ask(server, headers)
            assert (response.status_code, response.json()["data"]) == (200, {"viewer": {"id": project}})


async def test_an_invented_and_a_revoked_token_are_unauthenticated(server: Server, cloud: Cloud) -> None:
    revoked = await cloud.fresh_token("second")
    assert (await ask(server, {"X-Auth-Token": revoked})).status_code == 200
    cloud.identity.revoke(revoked)

    assert (await ask(server, {"X-Auth-Token": "invented"})).status_code == 401
    response = await ask(server, {"X-Auth-Token": revoked})
    while response.status_code == 200:  # remembered for half a second
        response = await ask(server, {"X-Auth-Token": revoked})
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@asynccontextmanager
async def watched(
    server: Server, token: str, form: str = "X-Auth-Token"
) -> AsyncGenerator[websockets.ClientConnection]:
    """A connection with an open watch."""
    payload = {form: f"Bearer {token}" if form == "Authorization" else token}
    protocol = websockets.Subprotocol("graphql-transport-ws")
    async with websockets.connect(server.ws_url, subprotocols=[protocol], open_timeout=60) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        query = "subscription { watchOffers { cursor } }"
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}))
        assert json.loads(await socket.recv())["type"] == "next"
        yield socket


@pytest.mark.parametrize("form", ["Authorization", "X-Auth-Token"])
async def test_a_watch_is_let_in_by_a_token_and_ends_when_it_is_revoked(
    server: Server, cloud: Cloud, form: str
) -> None:
    token = await cloud.fresh_token("second")
    async with watched(server, token, form) as socket:
        cloud.identity.revoke(token)
        await socket.wait_closed()
    assert socket.close_code == 4403


async def test_a_watch_ends_when_the_role_of_its_user_is_taken_away(server: Server, cloud: Cloud) -> None:
    admin = await cloud.token("admin")
    person = cloud.identity.newcomer(admin)
    async with watched(server, cloud.identity.token(person.name, person.name).id) as socket:
        cloud.identity.request("DELETE", person.assignment, admin)
        await socket.wait_closed()
    assert socket.close_code == 4403


async def test_a_watch_and_requests_end_when_keystones_token_expires(patient_server: Server, cloud: Cloud) -> None:
    # A token of an application credential is good for no longer than that is, in whole seconds.
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=15)
    owner = await cloud.token("second")
    token = cloud.identity.application_token("second", owner, expires_at=end.replace(tzinfo=None).isoformat())
    assert (await ask(patient_server, {"X-Auth-Token": token})).status_code == 200

    async with watched(patient_server, token) as socket:
        await socket.wait_closed()
    assert socket.close_code == 4403
    assert datetime.now(UTC) >= end
    response = await ask(patient_server, {"X-Auth-Token": token})
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
