"""Incomplete requests use limited memory, however many there are."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from app.web.server import http_limits
from app.web.server.http_limits import ALWAYS_ALLOWED_BYTES
from app.web.server.refusal import MAX_HEADERS
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.raw_connection import Response, open_connection, operation, parse_responses, request
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.slow

SMALL_HEADERS = b"a: b\r\n" * (MAX_HEADERS + 1)
HALF = 90_000


@pytest.mark.parametrize("comes", ["whole", "in pieces"])
@pytest.mark.parametrize(
    "begun", [request().partition(b"\r\n\r\n")[0], operation("{ __typename }").partition(b"\r\n\r\n")[0]]
)
async def test_a_request_of_many_small_headers_is_refused(
    sqlite_databases: SqliteDatabases, begun: bytes, comes: str
) -> None:
    async with run_in_process(settings_for(sqlite_databases.fresh())) as server, open_connection(server.port) as client:
        await client.send(begun + b"\r\n" + SMALL_HEADERS + (b"\r\n" if comes == "whole" else b""))
        [refused] = parse_responses(await client.read_to_end())
        assert [len(one.headers) for one in server.connections] in ([], [0]), "nothing of them stays on the line"

    assert refused.status == 431
    assert "more than 200 headers" in json.loads(refused.body)["errors"][0]["message"]


async def test_the_maximum_number_of_headers_is_accepted(sqlite_databases: SqliteDatabases) -> None:
    many = [f"a{number}: b" for number in range(MAX_HEADERS - 10)]
    async with run_in_process(settings_for(sqlite_databases.fresh())) as server, open_connection(server.port) as client:
        await client.send(operation("{ __typename }", *many))
        assert (await client.read_response()).status == 200


async def test_incomplete_requests_share_a_memory_limit_and_small_ones_still_succeed(
    sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "MAX_PARTIAL_BYTES", 3 * HALF)
    async with run_in_process(settings_for(sqlite_databases.fresh())) as server:
        async with AsyncExitStack() as held:
            for _ in range(2):
                await (await held.enter_async_context(open_connection(server.port))).send(_half())
            await wait_until(lambda: _pending(server) >= 2 * HALF)
            refused = await _send(server, _half())
            small = operation("{ __typename }")
            answered = await _send(server, small[: len(small) // 2], small[len(small) // 2 :])
        await wait_until(lambda: not server.connections)
        whole = operation("{ __typename }" + " " * HALF * 2)
        assert (await _send(server, whole)).status == 200

    assert (refused.status, refused.headers["retry-after"], refused.headers["connection"]) == (503, "1", "close")
    assert json.loads(refused.body)["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert answered.status == 200
    assert len(small) < ALWAYS_ALLOWED_BYTES


def _half() -> bytes:
    head = request("POST", "/graphql", "content-type: application/json", f"content-length: {3 * HALF}", body=b"")
    return head + b" " * HALF


async def _send(server: InProcessServer, *pieces: bytes) -> Response:
    async with open_connection(server.port) as client:
        for piece in pieces:
            await client.send(piece)
            await asyncio.sleep(0.01)  # so that it does not arrive in one piece
        return await client.read_response()


def _pending(server: InProcessServer) -> int:
    return max((one.limits.partial_requests.bytes for one in server.connections), default=0)
