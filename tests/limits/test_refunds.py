"""Operations refused because of overload are refunded."""

from collections.abc import AsyncGenerator

import pytest

from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.operations import WATCH
from tests.harness.raw_clients import open_socket
from tests.harness.transports import TRANSPORTS, send_over

pytestmark = pytest.mark.usefixtures("reading_is_free")

BRIM, INTROSPECTION = 1_000, "{ __schema { queryType { name } } }"


@pytest.fixture
async def full(sqlite_databases: SqliteDatabases) -> AsyncGenerator[InProcessServer]:
    """A gateway at full capacity."""
    settings = settings_for(sqlite_databases.fresh(), rate_per_tenant=1, burst_per_tenant=BRIM, max_operations=1)
    async with run_in_process(settings) as server:
        server.admission.in_flight = 1
        yield server


def level(server: InProcessServer) -> float:
    assert server.budgets is not None
    assert server.budgets.tenants is not None
    return server.budgets.tenants.buckets.get("1").level


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_shed_operation_is_refunded(full: InProcessServer, transport: str) -> None:
    await send_over(full, transport, INTROSPECTION, full.token)
    reply = await send_over(full, transport, INTROSPECTION, full.token)

    assert (reply.code, level(full)) == ("UNAVAILABLE", BRIM)
    if reply.headers is not None:
        assert reply.headers["ratelimit"] == f'"tenant";r={BRIM};t=0'
    full.admission.in_flight = 0
    assert (await send_over(full, transport, INTROSPECTION, full.token)).status == 200
    assert level(full) < BRIM


async def test_a_watch_that_may_not_start_yet_is_refunded(full: InProcessServer) -> None:
    async with open_socket(full) as peer:
        await peer.subscribe(WATCH)
        assert await peer.close_code() == 1013

    assert level(full) == BRIM
