"""Keys come and go: a new one is found by the first token that names it, and a withdrawn one stops counting."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from http.server import BaseHTTPRequestHandler
from threading import Event
from unittest.mock import patch

import pytest

from app.web.callers import key_server as fetching
from app.web.http.endpoint import Endpoint
from tests.harness.databases import SqliteDatabases
from tests.harness.issuer import claims_for, signing_key
from tests.harness.key_server import KeyServer, run_key_server
from tests.harness.operations import WATCH
from tests.harness.sockets import connect_socket, open_socket
from tests.harness.trusting_gateway import GAP_SECONDS, TrustingGateway, run_trusting_gateway, short_times
from tests.harness.waiting import wait_until

__all__ = ["short_times"]
pytestmark = [pytest.mark.usefixtures("short_times"), pytest.mark.slow]
FIRST, SECOND = signing_key("first", "RS256"), signing_key("second", "ES256")


@pytest.fixture
def keys() -> Generator[KeyServer]:
    with run_key_server(FIRST) as keys:
        yield keys


@pytest.fixture
async def gateway(sqlite_databases: SqliteDatabases, keys: KeyServer) -> AsyncGenerator[TrustingGateway]:
    async with run_trusting_gateway(sqlite_databases, keys) as gateway:
        yield gateway


@pytest.fixture
async def slow_gateway(sqlite_databases: SqliteDatabases, keys: KeyServer) -> AsyncGenerator[TrustingGateway]:
    """One that looks at the key set only when it is asked to."""
    async with run_trusting_gateway(sqlite_databases, keys, auth_jwks_refresh_seconds=3_600) as gateway:
        assert await gateway.status(FIRST.token()) == 200
        yield gateway


async def test_a_new_key_is_found_by_the_first_request_that_names_it(
    slow_gateway: TrustingGateway, keys: KeyServer
) -> None:
    keys.publish(FIRST, SECOND)

    assert await slow_gateway.status(SECOND.token()) == 200
    assert await slow_gateway.status(FIRST.token()) == 200
    assert len(keys.fetches) == 2


async def test_a_new_key_is_found_by_the_first_socket_that_names_it(
    slow_gateway: TrustingGateway, keys: KeyServer
) -> None:
    keys.publish(SECOND)

    async with connect_socket(slow_gateway, SECOND.token()) as peer:
        assert await peer.is_alive()
    assert len(keys.fetches) == 2


async def test_a_socket_that_waits_for_its_key_has_introduced_itself_in_time(
    sqlite_databases: SqliteDatabases, keys: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(request: BaseHTTPRequestHandler, waking: Event) -> None:
        waking.wait(3)
        keys.serve_keys(request, waking)

    monkeypatch.setattr(fetching, "FETCH_SECONDS", 60)
    # A slow machine needs a part of it, too, for the words of the introduction.
    async with run_trusting_gateway(sqlite_databases, keys, connection_init_seconds=2) as gateway:
        await gateway.wait_for_status(FIRST.token(), 200)
        keys.publish(FIRST, SECOND)
        keys.behaviour = slowly
        async with connect_socket(gateway, SECOND.token()) as peer:
            assert await peer.is_alive()


async def test_a_new_key_is_found_by_the_first_stream_that_names_it(
    slow_gateway: TrustingGateway, keys: KeyServer
) -> None:
    keys.publish(SECOND)

    async with slow_gateway.events(SECOND.token()) as stream:
        assert (stream.status_code, await anext(stream.aiter_lines())) == (200, "event: next")
    assert len(keys.fetches) == 2


async def test_a_token_that_came_before_its_key_counts_once_the_key_is_there(
    slow_gateway: TrustingGateway, keys: KeyServer
) -> None:
    early = SECOND.token()
    refused = await slow_gateway.post(early)
    async with open_socket(slow_gateway) as peer:
        await peer.init(early)
        closed = await peer.close_code()
    keys.publish(FIRST, SECOND)

    assert (refused.status_code, closed) == (401, 4403)
    assert "fresh" in refused.json()["errors"][0]["message"]
    assert await slow_gateway.status(early) == 200


async def test_those_who_come_with_a_new_key_together_share_one_look(
    slow_gateway: TrustingGateway, keys: KeyServer
) -> None:
    keys.publish(FIRST, SECOND)

    told = await asyncio.gather(*(slow_gateway.status(SECOND.token(claims_for(str(n)))) for n in range(1, 50)))

    assert (set(told), len(keys.fetches)) == ({200}, 2)
    await asyncio.sleep(3 * GAP_SECONDS)  # in which it would look again, if it still thought that somebody waits
    assert len(keys.fetches) == 2


async def test_a_withdrawn_key_stops_counting_also_where_requests_are_answered_at_once(
    gateway: TrustingGateway, keys: KeyServer
) -> None:
    old, new = FIRST.token(), SECOND.token()
    await gateway.wait_for_status(old, 200)

    async def unreachable(*_: object) -> None:
        raise AssertionError("the endpoint was asked")

    with patch.object(Endpoint, "__call__", unreachable):
        assert await gateway.status(old) == 200
    keys.publish(SECOND)
    await gateway.wait_for_status(old, 401)

    assert "fresh" in (await gateway.post(old)).json()["errors"][0]["message"]
    assert await gateway.status(new) == 200


async def test_whoever_was_let_in_with_a_withdrawn_key_is_sent_for_a_fresh_token(
    gateway: TrustingGateway, keys: KeyServer
) -> None:
    keys.publish(FIRST, SECOND)
    await gateway.wait_for_status(SECOND.token(), 200)
    async with (
        connect_socket(gateway, FIRST.token()) as leaving,
        connect_socket(gateway, FIRST.token()) as leaving_too,
        connect_socket(gateway, SECOND.token()) as staying,
        gateway.events(FIRST.token()) as stream,
        gateway.events(SECOND.token()) as staying_stream,
    ):
        await leaving.subscribe(WATCH)
        keys.publish(SECOND)

        assert [await leaving.close_code(), await leaving_too.close_code()] == [4403, 4403]
        assert "complete" not in (await stream.aread()).decode()
        assert await staying.is_alive()
        assert (await anext(staying_stream.aiter_lines())).startswith("event: next")


async def test_a_key_that_takes_the_place_of_another_under_its_name_is_another_key(
    gateway: TrustingGateway, keys: KeyServer
) -> None:
    successor = signing_key("first", "RS256", 2_064)
    await gateway.wait_for_status(FIRST.token(), 200)
    async with connect_socket(gateway, FIRST.token()) as peer:
        keys.publish(successor)

        assert await peer.close_code() == 4403
    assert await gateway.status(FIRST.token()) == 401
    assert await gateway.status(successor.token()) == 200


async def test_looking_again_at_the_same_keys_disturbs_nobody(gateway: TrustingGateway, keys: KeyServer) -> None:
    token = FIRST.token()
    await gateway.wait_for_status(token, 200)
    async with connect_socket(gateway, token) as peer:
        keys.publish(SECOND, FIRST)
        await gateway.wait_for_fetches()

        assert await peer.is_alive()
    assert await gateway.status(token) == 200


async def test_nothing_is_kept_of_sockets_that_have_gone(gateway: TrustingGateway) -> None:
    await gateway.wait_for_status(FIRST.token(), 200)
    for _ in range(3):
        async with connect_socket(gateway, FIRST.token()) as peer:
            assert await peer.is_alive()
    await wait_until(lambda: not any(gateway.tokens._leases.values()))
