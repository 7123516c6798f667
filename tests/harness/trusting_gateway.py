"""Runs a gateway in this process that trusts a key server, with short refresh times."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.web.callers import key_server as fetching
from app.web.callers import key_set
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.key_server import KeyServer
from tests.harness.operations import WATCH
from tests.harness.waiting import wait_until

GAP_SECONDS, FETCH_SECONDS = 0.2, 1.0
VIEWER = "{ viewer { id } }"


class TrustingGateway:
    """A gateway that trusts a key server, and a client of it."""

    def __init__(self, server: InProcessServer, keys: KeyServer, client: httpx2.AsyncClient) -> None:
        self.server = server
        self.keys = keys
        self.client = client
        self.ws_url = server.url
        self.tokens = server.tokens

    async def post(self, token: str | None, query: str = VIEWER, **headers: str) -> httpx2.Response:
        """Send a plain query, which takes the fast path."""
        named = {} if token is None else {"authorization": f"Bearer {token}"}
        return await self.client.post("/graphql", json={"query": query}, headers={**named, **headers})

    async def status(self, token: str | None) -> int:
        return (await self.post(token)).status_code

    async def wait_for_status(self, token: str, status: int) -> None:
        """Wait until requests with this token get this status."""
        async with asyncio.timeout(60):
            while await self.status(token) != status:
                await asyncio.sleep(0.02)  # the gateway sends no notification

    async def wait_for_fetches(self) -> None:
        """Wait for two more fetches, after which the gateway has seen the keys published now."""
        before = len(self.keys.fetches)
        await wait_until(lambda: len(self.keys.fetches) >= before + 2)

    @asynccontextmanager
    async def events(self, token: str) -> AsyncGenerator[httpx2.Response]:
        """Open a watch over SSE; its first event has arrived."""
        headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
        async with self.client.stream("POST", "/graphql", json={"query": WATCH}, headers=headers) as response:
            yield response


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_set, "GAP_SECONDS", GAP_SECONDS)
    monkeypatch.setattr(key_set, "RETRY_SECONDS", GAP_SECONDS)
    monkeypatch.setattr(fetching, "FETCH_SECONDS", FETCH_SECONDS)


@asynccontextmanager
async def run_trusting_gateway(
    databases: SqliteDatabases, keys: KeyServer, **settings: Any
) -> AsyncGenerator[TrustingGateway]:
    """Run a gateway that accepts only tokens signed by keys of this server."""
    configured: dict[str, Any] = {
        "auth_secret": None,
        "auth_jwks_url": keys.url,
        "auth_jwks_refresh_seconds": 1,
        **settings,
    }
    async with (
        run_in_process(settings_for(databases.fresh(), **configured)) as server,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client,
    ):
        yield TrustingGateway(server, keys, client)
