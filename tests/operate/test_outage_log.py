"""The log during an outage of the store: the reason, but not once per request."""

import asyncio

from structlog.testing import capture_logs

from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import run_in_process
from tests.harness.outages import database_outage
from tests.harness.transports import send_over

REQUESTS = 16
QUERY = "{ viewer { id } images { totalCount } }"


async def test_requests_during_an_outage_share_one_traceback_and_one_line_per_second(
    postgres_databases: PostgresDatabases,
) -> None:
    url = postgres_databases.fresh()
    async with run_in_process(settings_for(url)) as server:
        began = asyncio.get_running_loop().time()
        with capture_logs() as logged, database_outage(url):
            reply = await asyncio.gather(*(send_over(server, "lane", QUERY, server.token) for _ in range(REQUESTS)))
        seconds = asyncio.get_running_loop().time() - began

    assert {one.status for one in reply} == {503}
    for event in ("store unavailable", "the log can't be read"):
        lines = [line for line in logged if line["event"] == event]
        kinds = {line["kind"] for line in lines}
        assert 0 < len(lines) <= len(kinds) * (seconds + 1)
        assert sum("exc_info" in line for line in lines) == len(kinds)
