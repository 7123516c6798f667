"""Keep-alive connections are closed when idle for a while, but never during a request."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast
from unittest.mock import patch

import pytest

from app.web.server.fast_lane import FastLaneProtocol
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.http_connections import Connect, open_connections, request
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.slow

QUICK = "{ viewer { id } }"
SLOW = 'mutation { acceptOffer(input: {imageId: "x"}) { errors { code } } }'


@pytest.fixture
async def server(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(databases.fresh())) as server:
        yield server


@pytest.fixture
async def dial(server: InProcessServer) -> AsyncGenerator[Connect]:
    async with open_connections(server.port) as dial:
        yield dial


async def _with_short_keep_alive(server: InProcessServer) -> None:
    await wait_until(lambda: bool(server.connections))
    for one in server.connections:
        if isinstance(one, FastLaneProtocol):
            one.timeout_keep_alive = cast(int, 0.8)  # uvicorn's type allows whole seconds only


def _slow(server: InProcessServer) -> Any:
    """A server whose mutations take longer than the keep-alive timeout."""
    answer = server.planner.answer

    async def slowly(text: str, *asked: Any) -> bytes | None:
        if text != SLOW:
            return await answer(text, *asked)
        await asyncio.sleep(1)  # the duration of the mutation
        return b"{}"

    return patch.object(server.planner, "answer", slowly)


async def test_an_idle_connection_is_closed(server: InProcessServer, dial: Connect) -> None:
    line = await dial()
    await _with_short_keep_alive(server)
    for _ in range(6):
        line.send(request(server.token_of("1"), QUICK))
        assert (await line.read_response())[1].get("connection") != "close"
        await asyncio.sleep(0.15)  # together longer than the keep-alive timeout

    assert await line.is_closed()


@pytest.mark.parametrize("together", [True, False])
async def test_a_connection_is_not_closed_as_idle_while_a_response_is_pending(
    server: InProcessServer, dial: Connect, together: bool
) -> None:
    line = await dial()
    await _with_short_keep_alive(server)
    quick, slow = (request(server.token_of("1"), query) for query in (QUICK, SLOW))
    with _slow(server):
        line.send(quick + slow if together else quick)
        assert (await line.read_response())[2] == {"data": {"viewer": {"id": "1"}}}
        line.send(b"" if together else slow)
        assert (await line.read_response())[2] == {"data": {}}

    assert await line.is_closed()


async def test_a_connection_with_a_partial_request_is_not_idle(server: InProcessServer, dial: Connect) -> None:
    line = await dial()
    await _with_short_keep_alive(server)
    whole = request(server.token_of("1"), QUICK)
    line.send(whole + whole[:-5])
    await line.read_response()
    await asyncio.sleep(1)  # longer than the keep-alive timeout
    line.send(whole[-5:])

    assert (await line.read_response())[2] == {"data": {"viewer": {"id": "1"}}}


async def test_the_keep_alive_timeout_is_the_one_of_the_setting(databases: Databases) -> None:
    settings = settings_for(databases.fresh(), keep_alive_seconds=1)
    async with run_in_process(settings) as server, open_connections(server.port) as dial:
        line = await dial()
        line.send(request(server.token_of("1"), QUICK))
        await line.read_response()
        assert await line.is_closed()
