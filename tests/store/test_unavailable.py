"""A store that fails while the server runs: clients are told to retry, and the log says why."""

import sqlite3
from collections.abc import Generator
from contextlib import closing
from time import sleep

import pytest

from tests.harness.operations import WATCH
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, error_code, first_error, run_server
from tests.harness.sockets import connect_socket

IMAGES = "{ images { nodes { id } } }"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server whose tables were dropped while it ran."""
    with run_server(tmp_path_factory.mktemp("broken")) as server:
        assert server.data(IMAGES, server.token(fresh_id())) == {"images": {"nodes": []}}
        with closing(sqlite3.connect(server.database)) as connection, connection:
            for table in ("image", "event", "event_head"):
                connection.execute(f"ALTER TABLE {table} RENAME TO {table}_elsewhere")
        yield server


def test_a_request_gets_unavailable_without_the_reason(broken: Server) -> None:
    answer = broken.post(IMAGES, broken.token(fresh_id()))
    assert (answer.status_code, error_code(answer)) == (503, "UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    assert "image" not in first_error(answer)["message"]


def test_the_reason_is_logged(broken: Server) -> None:
    broken.post(IMAGES, broken.token(fresh_id()))
    assert "no such table: image" in broken.log


async def test_a_watch_that_cannot_start_closes_the_socket_with_1013(broken: Server) -> None:
    async with connect_socket(broken, broken.token(fresh_id())) as peer:
        await peer.subscribe(WATCH)
        assert await peer.close_code() == 1013


def test_the_server_stays_alive_but_is_not_ready(broken: Server) -> None:
    assert broken.client.get("/livez").status_code == 200
    answer = broken.client.get("/readyz")
    for _ in range(100):
        if answer.status_code != 200:
            break
        sleep(0.1)
        answer = broken.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
