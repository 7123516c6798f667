"""A server that is stopped first announces it to the balancer."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.harness.server import error_code, run_server
from tests.harness.sockets import connect_socket
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.slow


async def test_a_stopping_server_is_not_ready_but_serves_until_its_notice_is_over(tmp_path: Path) -> None:
    with run_server(tmp_path, drain_notice_seconds=4) as server:
        assert server.client.get("/readyz").status_code == 200
        async with connect_socket(server, server.token("1")) as peer:
            server.process.send_signal(signal.SIGTERM)
            await wait_until(lambda: server.client.get("/readyz").status_code == 503)
            server.renew_client()
            assert server.client.get("/readyz").json()["reason"] == "the server is about to end"
            assert server.client.get("/livez").status_code == 200
            assert error_code(server.post("{ viewer { id } }")) == "UNAUTHENTICATED"
            assert await peer.is_alive()
            assert await peer.close_code() == 1012
        assert await asyncio.to_thread(server.process.wait, 20) == 0
