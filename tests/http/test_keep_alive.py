"""Lines that rest between requests are closed after a while, and not for as long as somebody is busy with them."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast
from unittest.mock import patch

import pytest

from app.web.server.fast_lane import FastLaneProtocol
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcess, in_this_process
from tests.harness.patience import until
from tests.harness.raw_http import Dial, dialling, request

pytestmark = pytest.mark.slow

QUICK = "{ viewer { id } }"
SLOW = 'mutation { acceptOffer(input: {imageId: "x"}) { errors { code } } }'


@pytest.fixture
async def server(databases: Databases) -> AsyncGenerator[InProcess]:
    async with in_this_process(settings_for(databases.fresh())) as server:
        yield server


@pytest.fixture
async def dial(server: InProcess) -> AsyncGenerator[Dial]:
    async with dialling(server.port) as dial:
        yield dial


async def _with_short_rests(server: InProcess) -> None:
    await until(lambda: bool(server.connections))
    for one in server.connections:
        if isinstance(one, FastLaneProtocol):
            one.timeout_keep_alive = cast(int, 0.8)  # uvicorn's type knows whole seconds only


def _slow(server: InProcess) -> Any:
    """Whose mutations take longer than a line may rest."""
    answer = server.planner.answer

    async def slowly(text: str, *asked: Any) -> bytes | None:
        if text != SLOW:
            return await answer(text, *asked)
        await asyncio.sleep(1)  # the time that it takes
        return b"{}"

    return patch.object(server.planner, "answer", slowly)


async def test_a_line_on_which_nothing_more_comes_is_closed(server: InProcess, dial: Dial) -> None:
    line = await dial()
    await _with_short_rests(server)
    for _ in range(6):
        line.send(request(server.token_of("1"), QUICK))
        assert (await line.answer())[1].get("connection") != "close"
        await asyncio.sleep(0.15)  # together they are longer than one rest may be

    assert await line.has_ended()


@pytest.mark.parametrize("together", [True, False])
async def test_a_line_is_not_closed_for_its_rest_while_an_answer_is_waited_for(
    server: InProcess, dial: Dial, together: bool
) -> None:
    line = await dial()
    await _with_short_rests(server)
    quick, slow = (request(server.token_of("1"), query) for query in (QUICK, SLOW))
    with _slow(server):
        line.send(quick + slow if together else quick)
        assert (await line.answer())[2] == {"data": {"viewer": {"id": "1"}}}
        line.send(b"" if together else slow)
        assert (await line.answer())[2] == {"data": {}}

    assert await line.has_ended()


async def test_a_request_that_is_half_there_is_no_rest(server: InProcess, dial: Dial) -> None:
    line = await dial()
    await _with_short_rests(server)
    whole = request(server.token_of("1"), QUICK)
    line.send(whole + whole[:-5])
    await line.answer()
    await asyncio.sleep(1)  # longer than a line may rest
    line.send(whole[-5:])

    assert (await line.answer())[2] == {"data": {"viewer": {"id": "1"}}}


async def test_a_line_rests_for_as_long_as_the_setting_says(databases: Databases) -> None:
    settings = settings_for(databases.fresh(), keep_alive_seconds=1)
    async with in_this_process(settings) as server, dialling(server.port) as dial:
        line = await dial()
        line.send(request(server.token_of("1"), QUICK))
        await line.answer()
        assert await line.has_ended()
