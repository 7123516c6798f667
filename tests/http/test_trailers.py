"""Trailers are not treated as headers (RFC 9110, 6.5.1), and have the same limits."""

import json
from pathlib import Path

import pytest

from app.web.server.refusal import MAX_HEAD_BYTES, MAX_HEADERS
from tests.harness.balancer import reason_to_skip, run_balancer
from tests.harness.kernel import free_port
from tests.harness.raw_connection import Response, open_connection, parse_responses, request
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, run_server

QUERY = b'{"query":"{viewer{id}}"}'
LAST = request("GET", "/livez", "connection: close")


async def _send(port: int, *trailers: str, headers: tuple[str, ...] = (), apart: bool = False) -> list[Response]:
    plain = ("content-type: application/json", "transfer-encoding: chunked", *headers)
    body = request("POST", "/graphql", *plain, body=b"%x\r\n%b\r\n0\r\n" % (len(QUERY), QUERY))
    behind = "".join(f"{trailer}\r\n" for trailer in (*trailers, "")).encode()
    async with open_connection(port) as client:
        await client.send(*([body, behind] if apart else [body + behind]), LAST)
        return parse_responses(await client.read_to_end())


LIES = ("Origin: https://evil.example", "Accept: text/event-stream", "Content-Encoding: gzip", "Content-Type: text/x")


@pytest.mark.parametrize("apart", [False, True])
async def test_trailers_are_ignored(server: Server, apart: bool) -> None:
    tenant = fresh_id()
    stranger, caller = server.token(fresh_id()), f"authorization: Bearer {server.token(tenant)}"
    answered, _ = await _send(server.port, f"Authorization: Bearer {stranger}", *LIES, headers=(caller,), apart=apart)
    unknown, _ = await _send(server.port, f"Authorization: Bearer {stranger}", apart=apart)

    assert answered.headers["content-type"].startswith("application/json")
    assert json.loads(answered.body)["data"] == {"viewer": {"id": tenant}}
    assert "errors" in json.loads(unknown.body)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("kind", ["many", "large", "many with its headers"])
async def test_trailers_have_the_limits_of_headers(server: Server, kind: str, apart: bool) -> None:
    headers, trailers = {
        "many": ((), ["a: b"] * (MAX_HEADERS + 1)),
        "large": ((), ["a: " + "b" * MAX_HEAD_BYTES]),
        "many with its headers": (("a: b",) * (MAX_HEADERS - 9), ["a: b"] * 9),
    }[kind]
    [refused] = await _send(server.port, *trailers, headers=headers, apart=apart)
    assert (refused.status, refused.headers["connection"]) == (431, "close")


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    "trailer", ["Connection: close", "Proxy-Connection: close", "Connection: x, close", "TE: gzip"]
)
async def test_a_forbidden_trailer_is_refused_and_closes_the_connection(
    server: Server, trailer: str, apart: bool
) -> None:
    *_, last = await _send(server.port, trailer, apart=apart)

    assert (last.status, last.headers["connection"]) == (400, "close")


async def test_a_forwarded_address_in_a_trailer_is_ignored_behind_the_balancer(tmp_path: Path) -> None:
    if (reason := reason_to_skip()) is not None:
        pytest.skip(reason)
    (folder := tmp_path / "worker").mkdir()
    with (
        run_server(folder, trusted_proxies="127.0.0.1", rate_per_address=1, burst_per_address=20) as worker,
        run_balancer(tmp_path, [worker.port, free_port()]) as balancer,
    ):
        balancer.wait_for_workers("gateway-a")
        statuses = [(await _send(balancer.port, f"X-Forwarded-For: 6.6.6.{n}"))[0].status for n in range(60)]
        token = balancer.token("1")
        unknown, *_ = await _send(balancer.port, f"Authorization: Bearer {token}")

    assert 429 in statuses
    assert b'"1"' not in unknown.body
