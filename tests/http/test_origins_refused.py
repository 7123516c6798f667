"""Pages of listed origins may read why a request was refused, even if it was refused below the application."""

from collections.abc import AsyncGenerator

import pytest

from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.raw_connection import open_connection, request

LISTED = "https://console.example.org"
REFUSED = {
    408: ("content-length: 10", b"slow"),
    431: ("x: " + "y" * 900_000, b""),
    400: ("content-length: many\r\n", b""),
}


@pytest.fixture
async def server(sqlite_databases: SqliteDatabases) -> AsyncGenerator[InProcessServer]:
    settings = settings_for(sqlite_databases.fresh(), allowed_origins=LISTED, request_seconds=0.3)
    async with run_in_process(settings) as server:
        yield server


@pytest.mark.parametrize("status", REFUSED)
async def test_a_page_may_read_why_the_server_refused_its_request(server: InProcessServer, status: int) -> None:
    header, body = REFUSED[status]
    for origin, allowed in ((LISTED, LISTED), ("https://elsewhere.example.org", None)):
        async with open_connection(server.port) as client:
            sent = request("POST", "/graphql", f"origin: {origin}", header, body=body)
            await client.send(sent.removesuffix(b"\r\n\r\n"))  # without the end of the headers
            refused = await client.read_response()
        assert (refused.status, refused.headers.get("access-control-allow-origin")) == (status, allowed)
        assert ("vary" in refused.headers) == (allowed is not None)
