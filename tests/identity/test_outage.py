"""The key server is away, hangs or lies: nobody is logged out, and nobody is let in."""

import asyncio
import math
import re
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from app.web.callers import key_server as fetching
from app.web.callers import key_set
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import SECRET
from tests.harness.issuer import claims_for, shared_secret, signing_key
from tests.harness.key_server import KeyServer, run_key_server
from tests.harness.operations import WATCH
from tests.harness.server import bearer, error_code
from tests.harness.sockets import connect_socket, open_socket
from tests.harness.trusting_gateway import GAP_SECONDS, VIEWER, TrustingGateway, run_trusting_gateway, short_times
from tests.harness.waiting import wait_until

__all__ = ["short_times"]
pytestmark = pytest.mark.usefixtures("short_times")
_AGE = re.compile(r"image_gateway_key_set_age_seconds\{")
FIRST, SECOND = signing_key("first", "RS256"), signing_key("second", "ES256")


@pytest.fixture
def keys() -> Generator[KeyServer]:
    with run_key_server(FIRST) as keys:
        yield keys


@pytest.fixture
async def gateway(sqlite_databases: SqliteDatabases, keys: KeyServer) -> AsyncGenerator[TrustingGateway]:
    async with run_trusting_gateway(sqlite_databases, keys) as gateway:
        await gateway.wait_for_status(FIRST.token(), 200)
        yield gateway


def waiting(gateway: TrustingGateway) -> int:
    """How many wait for the next look at the key set."""
    return gateway.tokens._key_sets[0]._waiting


async def is_told_to_come_again(gateway: TrustingGateway, token: str) -> None:
    """On every way in, with the code that clients understand so."""
    refused = await gateway.post(token)
    assert (refused.status_code, error_code(refused)) == (503, "UNAVAILABLE")
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert (await gateway.post(token, accept="text/event-stream")).status_code == 503
    async with open_socket(gateway) as peer:
        await peer.init(token)
        assert await peer.close_code() == 1013


async def test_a_dead_key_server_logs_nobody_out(gateway: TrustingGateway, keys: KeyServer) -> None:
    seen = FIRST.token()
    assert await gateway.status(seen) == 200
    async with connect_socket(gateway, seen) as peer:
        keys.stop()
        await is_told_to_come_again(gateway, SECOND.token())

        never_seen = FIRST.token(claims_for("2"))
        assert [await gateway.status(token) for token in (seen, never_seen)] == [200, 200]
        assert await peer.is_alive()
        async with connect_socket(gateway, FIRST.token(claims_for("3"))) as another:
            assert await another.is_alive()


async def test_the_age_of_the_key_set_is_among_the_figures(gateway: TrustingGateway, keys: KeyServer) -> None:
    async def age() -> float:
        [line] = [line for line in (await gateway.client.get("/metrics")).text.splitlines() if _AGE.match(line)]
        return float(line.split()[-1])

    keys.stop()
    before = await age()
    await asyncio.sleep(2 * GAP_SECONDS)  # in which it would have been fetched anew
    assert before + GAP_SECONDS < await age() < math.inf


async def test_when_the_key_server_is_back_its_new_key_counts_without_a_restart(
    gateway: TrustingGateway, keys: KeyServer
) -> None:
    keys.stop()
    await is_told_to_come_again(gateway, SECOND.token())
    keys.publish(FIRST, SECOND)
    keys.start()

    await gateway.wait_for_status(SECOND.token(), 200)
    assert await gateway.status(FIRST.token()) == 200


async def test_a_key_server_that_hangs_holds_up_only_those_who_need_it(
    gateway: TrustingGateway, keys: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 60)
    keys.behaviour = keys.hang
    unknown = asyncio.create_task(gateway.post(SECOND.token()))
    await wait_until(lambda: waiting(gateway) == 1)

    assert {await gateway.status(FIRST.token(claims_for(str(n)))) for n in range(1, 20)} == {200}
    assert not unknown.done()
    keys.stopping.set()
    assert (await unknown).status_code == 503


@pytest.mark.slow
async def test_keys_outlive_an_outage_for_as_long_as_the_settings_say_and_no_longer(
    sqlite_databases: SqliteDatabases, keys: KeyServer
) -> None:
    async with run_trusting_gateway(sqlite_databases, keys, auth_jwks_keep=2) as gateway:
        token = FIRST.token()
        await gateway.wait_for_status(token, 200)
        async with connect_socket(gateway, token) as peer:
            keys.stop()
            await peer.subscribe(WATCH)
            assert await gateway.status(token) == 200
            assert await peer.close_code() == 4403
        await is_told_to_come_again(gateway, token)
        assert "keys" in (await gateway.client.get("/readyz")).json()["reason"]
        keys.start()
        await gateway.wait_for_status(token, 200)
        assert (await gateway.client.get("/readyz")).status_code == 200


async def test_a_gateway_that_starts_in_an_outage_serves_the_nameless_and_recovers_by_itself(
    sqlite_databases: SqliteDatabases, keys: KeyServer
) -> None:
    keys.stop()
    async with run_trusting_gateway(sqlite_databases, keys, auth_jwks_refresh_seconds=3_600) as gateway:
        await is_told_to_come_again(gateway, FIRST.token())
        assert "keys" in (await gateway.client.get("/readyz")).json()["reason"]
        assert (await gateway.client.get("/livez")).status_code == 200
        assert (await gateway.post(None, "{ __typename }")).json() == {"data": {"__typename": "Query"}}
        assert (await gateway.post("rubbish")).status_code == 401
        keys.start()
        await gateway.wait_for_status(FIRST.token(), 200)


async def test_a_gateway_without_keys_is_soon_ready_again_though_nobody_asks(
    sqlite_databases: SqliteDatabases, keys: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_set, "RETRY_SECONDS", 3_600)
    keys.stop()
    async with run_trusting_gateway(sqlite_databases, keys, auth_jwks_refresh_seconds=3_600) as gateway:
        assert gateway.tokens.is_ready is False
        keys.start()
        await wait_until(lambda: gateway.tokens.is_ready)


@pytest.mark.slow
async def test_a_flood_of_unknown_keys_is_no_flood_of_fetches(
    sqlite_databases: SqliteDatabases, keys: KeyServer
) -> None:
    async with run_trusting_gateway(sqlite_databases, keys, auth_jwks_refresh_seconds=3_600) as gateway:
        await gateway.wait_for_status(FIRST.token(), 200)
        before, began, told = len(keys.fetches), time.monotonic(), list[int]()

        async def flood(number: int) -> None:
            while time.monotonic() - began < 10 * GAP_SECONDS:
                told.append(await gateway.status(FIRST.token(kid=f"made up {number} {len(told)}")))

        await asyncio.gather(*(flood(number) for number in range(20)))
        took = time.monotonic() - began

        assert len(told) > len(keys.fetches) - before
        assert set(told) <= {401, 503}
        assert len(keys.fetches) - before <= took / GAP_SECONDS + 1
        keys.publish(FIRST, SECOND)
        await gateway.wait_for_status(SECOND.token(), 200)


async def test_only_so_many_wait_for_a_key_and_the_rest_is_told_to_come_again_at_once(
    gateway: TrustingGateway, keys: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_set, "MAX_WAITING", 3)
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 60)
    before, keys.behaviour = len(keys.fetches), keys.hang
    await wait_until(lambda: len(keys.fetches) > before)

    asked = [asyncio.create_task(gateway.post(SECOND.token(claims_for(str(n))))) for n in range(1, 11)]
    await wait_until(lambda: sum(task.done() for task in asked) == 7)
    assert waiting(gateway) == 3
    keys.stopping.set()

    assert {(await task).status_code for task in asked} == {503}


async def test_a_gateway_ends_in_good_order_while_its_key_server_hangs(
    sqlite_databases: SqliteDatabases, keys: KeyServer
) -> None:
    keys.behaviour = keys.hang
    async with AsyncExitStack() as kept:
        async with run_trusting_gateway(sqlite_databases, keys) as gateway:
            client = await kept.enter_async_context(httpx2.AsyncClient(base_url=gateway.client.base_url, timeout=60))
            asked = asyncio.create_task(client.post("/graphql", headers=bearer(FIRST.token()), json={"query": VIEWER}))
            await wait_until(lambda: waiting(gateway) == 1)
        assert (await asked).status_code == 503


async def test_beside_a_key_set_the_shared_secret_counts_through_every_outage(
    sqlite_databases: SqliteDatabases, keys: KeyServer
) -> None:
    keys.stop()
    async with run_trusting_gateway(sqlite_databases, keys, auth_secret=SECRET) as gateway:
        told: dict[str, Any] = {
            "the secret": await gateway.status(shared_secret(SECRET).token()),
            "the public key as a secret": await gateway.status(shared_secret(FIRST.public_bytes()).token(kid="first")),
            "the key set": await gateway.status(FIRST.token()),
        }
        assert told == {"the secret": 200, "the public key as a secret": 401, "the key set": 503}
        assert (await gateway.client.get("/readyz")).status_code == 200
        keys.start()
        await gateway.wait_for_status(FIRST.token(), 200)
        assert await gateway.status(shared_secret(SECRET).token(claims_for("2"))) == 200
