"""Clients that send too slowly, too much or out of turn get an error, are disconnected, and use limited memory."""

import asyncio
import json
from collections.abc import Generator
from pathlib import Path

import pytest

from app.web.server.http_protocol import MAX_PIPELINED
from app.web.server.refusal import MAX_HEAD_BYTES
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.raw_connection import RawConnection, open_connection, operation, parse_responses, request, upgrade
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, run_server

pytestmark = pytest.mark.slow

CHUNKED = ("content-type: application/json", "transfer-encoding: chunked")
SLOW: dict[str, bytes] = {
    "half a request line": b"GET /graph",
    "half a header": b"GET /livez HTTP/1.1\r\nhost: he",
    "headers without an end": b"GET /livez HTTP/1.1\r\nhost: here\r\n",
    "a body that does not come": operation("{ __typename }")[:-1],
    "a body of the endpoint's": operation("{ __typename }", "accept: text/event-stream")[:-1],
    "a chunk that does not come": request("POST", "/graphql", *CHUNKED, body=b"5\r\n{"),
    "chunks without an end": request("POST", "/graphql", *CHUNKED, body=b"2\r\n{}\r\n"),
    "trailers without an end": request("POST", "/graphql", *CHUNKED, body=b"2\r\n{}\r\n0\r\na: b\r\n"),
    "a body that was announced": request("POST", "/graphql", "content-length: 999999999", *CHUNKED[:1], body=b"{"),
}
LIVEZ, LAST = request(), request("GET", "/livez", "connection: close")
WATCH = "subscription { watchOffers { cursor } }"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    with run_server(tmp_path_factory.mktemp("hasty"), request_seconds=0.4, max_body_bytes=20_000) as server:
        yield server


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server with a long request timeout, for large requests on a slow machine."""
    with run_server(tmp_path_factory.mktemp("patient"), request_seconds=60, max_body_bytes=20_000) as server:
        yield server


@pytest.mark.parametrize("kind", SLOW)
async def test_a_request_that_does_not_arrive_in_time_gets_408(hasty: Server, kind: str) -> None:
    async with open_connection(hasty.port) as client:
        await client.send(SLOW[kind])
        [refused] = parse_responses(await client.read_to_end())
    [error] = json.loads(refused.body)["errors"]
    if kind == "a body that was announced":
        assert (refused.status, error["extensions"]["code"]) == (413, "BAD_REQUEST")
    else:
        assert (refused.status, error["extensions"]["code"]) == (408, "TIMEOUT")
    assert error["extensions"]["requestId"] == refused.headers["x-request-id"]


async def test_a_client_that_drips_bytes_gains_no_time(hasty: Server) -> None:
    async with open_connection(hasty.port) as client:
        dripping = asyncio.create_task(_drip(client))
        [refused] = parse_responses(await client.read_to_end())
        dripping.cancel()
    assert refused.status == 408


async def _drip(client: RawConnection) -> None:
    await client.send(b"GET /livez HTTP/1.1\r\n")
    while True:
        await client.send(b"a: b\r\n")
        await asyncio.sleep(0.05)  # slower than any client, but never idle


async def test_a_silent_connection_is_closed(hasty: Server) -> None:
    async with open_connection(hasty.port) as client:
        assert await client.read_to_end() == b""


async def test_a_client_that_sent_in_time_is_not_disconnected_before_its_response(hasty: Server) -> None:
    token = hasty.token(fresh_id())
    async with open_connection(hasty.port) as client:
        await client.send(operation(WATCH, "accept: text/event-stream", f"authorization: Bearer {token}"))
        await _first_event(client)
        await client.send(b"GET /half")
        with pytest.raises(TimeoutError):
            await _hear(client, 1)


async def test_a_request_gets_its_response_before_junk_closes_the_connection(hasty: Server) -> None:
    # A query of the log is executed without a plan, which takes longer.
    query = "{ images { totalCount } offerEvents { pageInfo { hasNextPage } } }"
    request_bytes = operation(query, f"authorization: Bearer {hasty.token(fresh_id())}")
    for junk in (b"junk\r\n\r\n", upgrade(), LIVEZ + b"junk\r\n\r\n"):
        async with open_connection(hasty.port) as client:
            await client.send(request_bytes + request_bytes + junk)
            found = parse_responses(await client.read_to_end())
        assert [json.loads(answer.body)["data"]["images"] for answer in found[:2]] == [{"totalCount": 0}] * 2


async def _hear(client: RawConnection, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        received = await client.read_to_end()
    raise AssertionError(f"the server hung up after {received!r}")


@pytest.mark.parametrize("kind", ["headers", "an address", "trailers", "a body of crumbs"])
async def test_an_endless_request_is_cut_off_and_not_buffered(patient: Server, kind: str) -> None:
    begun, more = {
        "headers": (b"GET /livez HTTP/1.1\r\n", b"a: %s\r\n" % (b"b" * 1_000)),
        "an address": (b"GET /", b"a" * 1_000),
        "trailers": (request("POST", "/graphql", *CHUNKED, body=b"2\r\n{}\r\n0\r\n"), b"a: %s\r\n" % (b"b" * 1_000)),
        "a body of crumbs": (request("POST", "/graphql", *CHUNKED, body=b""), b"1;%s\r\n \r\n" % (b"b" * 1_000)),
    }[kind]
    async with open_connection(patient.port) as client:
        received = asyncio.create_task(client.read_to_end())
        await client.send(begun)
        for _ in range(2 * MAX_HEAD_BYTES // 1_000):
            await client.send(more)
        [refused] = parse_responses(await received)
    assert refused.status == (414 if kind == "an address" else 431)
    assert "er than" in json.loads(refused.body)["errors"][0]["message"]


async def test_an_upload_that_continues_after_its_refusal_is_cut_off(patient: Server) -> None:
    async with open_connection(patient.port) as client:
        received = asyncio.create_task(client.read_to_end())
        await client.send(request("POST", "/graphql", *CHUNKED, body=b""))
        for _ in range(400):
            await client.send(b"3e8\r\n" + b" " * 1_000 + b"\r\n")
        [refused] = parse_responses(await received)
    assert refused.status == 413


async def test_pipelined_requests_all_get_responses_and_few_are_buffered(sqlite_databases: Databases) -> None:
    async with run_in_process(settings_for(sqlite_databases.fresh())) as server, open_connection(server.port) as client:
        received = asyncio.create_task(client.read_to_end())
        longest = asyncio.create_task(_longest_queue(server, received))
        await client.send(*[request("GET", "/livez", "a: " + "b" * 500) * 50] * 80, LAST)
        assert [answer.status for answer in parse_responses(await received)] == [200] * 4_001
        assert 0 < await longest < MAX_PIPELINED


async def _longest_queue(server: InProcessServer, received: "asyncio.Task[bytes]") -> int:
    longest = 0
    while not received.done():
        longest = max([longest, *(len(one.pipeline) for one in server.connections)])
        await asyncio.sleep(0)  # samples once per iteration of the event loop
    return longest


async def test_too_many_pipelined_requests_are_cut_off(patient: Server) -> None:
    async with open_connection(patient.port) as client:
        await client.send(LIVEZ * (MAX_PIPELINED + 500))
        assert {answer.status for answer in parse_responses(await client.read_to_end())} <= {200}


async def test_a_refusal_while_a_body_is_awaited_is_not_a_fault(hasty: Server) -> None:
    expecting = request(
        "POST", "/graphql", "content-length: 9", "content-type: application/json", "expect: 100-continue"
    )
    async with open_connection(hasty.port) as client:
        await client.send(expecting[:-2] + b"x: y\r\n\r\n" + LIVEZ[:1])
        assert [answer.status for answer in parse_responses(await client.read_to_end())] == [100, 408]
    async with open_connection(hasty.port) as client:
        await client.send(request("POST", "/graphql", *CHUNKED, "expect: 100-continue", body=b"junk\r\n"))
        assert {answer.status for answer in parse_responses(await client.read_to_end())} <= {100, 400}
    assert "Traceback" not in hasty.log


async def test_bytes_that_are_not_http_get_an_ordinary_error(patient: Server) -> None:
    async with open_connection(patient.port) as client:
        await client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        [refused] = parse_responses(await client.read_to_end())
    [error] = json.loads(refused.body)["errors"]
    assert (refused.status, error["extensions"]["code"]) == (400, "BAD_REQUEST")


async def test_a_connection_with_a_pending_response_cannot_be_upgraded(tmp_path: Path) -> None:
    with run_server(tmp_path, max_watches_per_tenant=1) as server:
        watch = operation(WATCH, "accept: text/event-stream", f"authorization: Bearer {server.token('1')}")
        async with open_connection(server.port) as client:
            await client.send(watch)
            await _first_event(client)
            await client.send(upgrade())
            with pytest.raises(TimeoutError):
                await _hear(client, 0.5)
        async with asyncio.timeout(20):
            while not await _is_taken(server, watch):
                await asyncio.sleep(0.05)  # nothing announces that the first watch has ended


async def _is_taken(server: Server, watch: bytes) -> bool:
    async with open_connection(server.port) as client:
        await client.send(watch)
        return b"200 OK" in await _first_event(client)


async def _first_event(client: RawConnection) -> bytes:
    async with asyncio.timeout(20):
        return await client.reader.readuntil(b"\r\n\r\n")


ASKED = {
    "of the endpoint": request("DELETE", "/graphql"),
    "of another route": LIVEZ,
    "of the fast lane": operation("{ __typename }"),
    "that no plan answers": operation("{ x }"),
}


@pytest.mark.parametrize("request_bytes", ASKED.values(), ids=ASKED)
async def test_a_request_gets_its_response_although_invalid_bytes_follow(server: Server, request_bytes: bytes) -> None:
    for _ in range(5):
        async with open_connection(server.port) as client:
            hearing = asyncio.create_task(client.read_to_end())
            await client.send(request_bytes + b"content-length: 0\r\n\r\n", *[b"x" * 30_000] * 4)
            first, *rest = parse_responses(await hearing)
        assert (first.status in (200, 400, 405), [answer.status for answer in rest] in ([], [400])) == (True, True)
