"""The limits of connections and watches per tenant, which are freed when clients disconnect."""

from collections.abc import Generator

import pytest

from tests.harness.operations import WATCH
from tests.harness.server import Server, run_server
from tests.harness.sockets import connect_socket, open_socket

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    folder = tmp_path_factory.mktemp("small")
    with run_server(folder, max_connections_per_tenant=2, max_watches_per_tenant=2) as server:
        yield server


async def test_a_connection_too_many_is_told_to_retry_and_others_are_unaffected(small: Server) -> None:
    token = small.token("1")
    async with connect_socket(small, token), connect_socket(small, token):
        async with open_socket(small) as third:
            await third.init(token)
            assert await third.close_code() == 1013
        async with connect_socket(small, small.token("2")), connect_socket(small):
            pass
    async with connect_socket(small, token) as again:
        assert await again.is_alive()


async def test_a_watch_too_many_is_refused_and_the_socket_stays_open(small: Server) -> None:
    token = small.token("3")
    async with connect_socket(small, token) as first, connect_socket(small, token) as second:
        for peer in (first, second):
            await peer.subscribe(WATCH)
            await peer.next_item()
        await second.subscribe(WATCH, "too many")
        refused = await second.receive()
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "RATE_LIMITED")
        await first.send({"id": "1", "type": "complete"})
        assert await first.is_alive()
        await second.subscribe(WATCH, "again")
        assert (await second.receive())["type"] == "next"


async def test_a_resumed_watch_over_the_limit_is_told_to_retry(small: Server) -> None:
    token = small.token("4")
    async with connect_socket(small, token) as first:
        await first.subscribe(WATCH)
        cursor = (await first.next_item())["cursor"]
        await first.subscribe(WATCH, "2")
        await first.next_item()
        async with connect_socket(small, token) as back:
            await back.subscribe(WATCH, after=cursor)
            assert await back.close_code() == 1013
