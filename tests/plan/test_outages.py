"""A plan whose store is away is answered at once: the long way would wait for the same store once more."""

from typing import Any

import psycopg
import pytest

from app.store.plan import pooled
from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import run_in_process
from tests.harness.raw_clients import open_socket
from tests.harness.transports import TRANSPORTS, send_over

# Events are made field by field.
PLANNED = [transport for transport in TRANSPORTS if transport != "events"]
QUERY = "{ images { nodes { id } } }"


@pytest.mark.parametrize("error", [psycopg.OperationalError, psycopg.InterfaceError, OSError])
async def test_a_plan_that_does_not_reach_the_store_is_told_so_and_goes_no_other_way(
    postgres_databases: PostgresDatabases, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    async def fetch(*_: Any) -> Any:
        raise error("the line is cut")

    monkeypatch.setattr(pooled, "_fetch", fetch)
    async with run_in_process(settings_for(postgres_databases.fresh())) as server:
        for transport in PLANNED:
            reply = await send_over(server, transport, QUERY, server.token)
            assert (reply.code, reply.kind) == ("UNAVAILABLE", "error" if transport == "websocket" else "next")
            if reply.headers is not None:
                assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        async with open_socket(server) as peer:
            assert [(await peer.run(QUERY, name))[0]["type"] for name in ("first", "second")] == ["error", "error"]
        assert not server.planner.fallbacks
