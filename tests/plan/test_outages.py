"""A plan that fails in an outage is not retried with graphql-core, which would wait for the same store again."""

from typing import Any

import psycopg
import pytest

from app.store.plan import pooled
from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import run_in_process
from tests.harness.raw_clients import open_socket
from tests.harness.transports import TRANSPORTS, send_over

# Events are executed without a plan.
PLANNED = [transport for transport in TRANSPORTS if transport != "events"]
QUERY = "{ images { nodes { id } } }"


@pytest.mark.parametrize("error", [psycopg.OperationalError, psycopg.InterfaceError, OSError])
async def test_a_plan_that_cannot_reach_the_store_fails_without_a_second_attempt(
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
