"""The fast lane handles plain requests within the HTTP protocol, indistinguishably from the endpoint."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest

from app.errors import ErrorCode
from app.web.http.endpoint import Endpoint
from app.web.server.fast_lane import FastLaneProtocol
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.http_connections import Connect, open_connections, request
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.scenario import Scenario, make_scenario
from tests.harness.waiting import wait_until

POINT = "query($id: ID!) { image(id: $id) { id name } }"
ACCEPT = "mutation($id: ID!) { acceptOffer(input: {imageId: $id}) { member { status } errors { code } } }"
OF_ONE_ANSWER_ONLY = {"date", "x-request-id"}


@pytest.fixture
async def server(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(databases.fresh())) as server:
        yield server


@pytest.fixture
async def dial(server: InProcessServer) -> AsyncGenerator[Connect]:
    async with open_connections(server.port) as dial:
        yield dial


async def _scenario(server: InProcessServer) -> tuple[Scenario, str]:
    scenario = await make_scenario(server.gateway, "pending")
    return scenario, server.token_of(scenario.consumer.id)


async def test_the_fast_lane_handles_queries_and_mutations_and_nothing_else(
    server: InProcessServer, dial: Connect
) -> None:
    scenario, token = await _scenario(server)
    line = await dial()

    async def unreachable(*_: Any) -> None:
        raise AssertionError("the endpoint was asked")

    with patch.object(Endpoint, "__call__", unreachable):
        line.send(request(token, POINT, id=scenario.image))
        status, _, body = await line.read_response()
        assert (status, body["data"]["image"]["id"]) == ("HTTP/1.1 200 OK", scenario.image)
        line.send(request(token, ACCEPT, id=scenario.image))
        assert (await line.read_response())[2]["data"]["acceptOffer"]["member"] == {"status": "ACCEPTED"}
    for query in ("{ __schema { types { name } } }", "{ nothing }", "{"):
        line.send(request(token, query))
        assert (await line.read_response())[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("more", [[], ["connection: close"], ["accept: application/graphql-response+json"]])
async def test_the_fast_lane_responds_exactly_like_the_endpoint(
    server: InProcessServer, dial: Connect, version: str, more: list[str]
) -> None:
    scenario, token = await _scenario(server)
    answers: list[Any] = []
    for path in ("/graphql", "/graphql?long=way"):
        line = await dial()
        line.send(request(token, POINT, path, version, *more, id=scenario.image))
        status, headers, body = await line.read_response()
        assert len(headers["x-request-id"]) == 32
        for name in OF_ONE_ANSWER_ONLY:
            del headers[name]
        answers.append((status, headers, body))
        if version == "1.0" or "connection: close" in more:
            assert await line.is_closed()

    assert answers[0] == answers[1]


async def test_pipelined_requests_get_their_responses_in_order(server: InProcessServer, dial: Connect) -> None:
    scenario, token = await _scenario(server)
    line = await dial()
    line.send(
        request(token, ACCEPT, id=scenario.image),
        request(token, POINT, id=scenario.image),
        request(token, "{ __schema { queryType { name } } }"),
        request(token, "{ viewer { id } }"),
    )
    body = [(await line.read_response())[2]["data"] for _ in range(4)]

    assert [next(iter(one)) for one in body] == ["acceptOffer", "image", "__schema", "viewer"]


async def test_a_request_sent_byte_by_byte_gets_its_response(server: InProcessServer, dial: Connect) -> None:
    scenario, token = await _scenario(server)
    line = await dial()
    for byte in request(token, POINT, id=scenario.image):
        line.send(bytes([byte]))
        await line.writer.drain()
        await asyncio.sleep(0)  # so that it is sent by itself
    assert (await line.read_response())[2]["data"]["image"]["id"] == scenario.image


async def test_a_client_that_disconnects_midway_affects_no_other(server: InProcessServer, dial: Connect) -> None:
    scenario, token = await _scenario(server)
    whole = request(token, ACCEPT, id=scenario.image)
    for part in (whole[:-5], whole):
        line = await dial()
        line.send(part)
        await line.writer.drain()
        line.writer.transport.abort()
    line = await dial()
    line.send(request(token, POINT, id=scenario.image))
    assert (await line.read_response())[2]["data"]["image"]["id"] == scenario.image


async def test_after_a_fault_in_the_fast_lane_the_endpoint_handles_the_request(
    server: InProcessServer, dial: Connect
) -> None:
    scenario, token = await _scenario(server)
    line = await dial()
    with patch.object(server.planner, "answer_immediately", side_effect=RuntimeError("a fault")):
        line.send(request(token, POINT, id=scenario.image))
        assert (await line.read_response())[2]["data"]["image"]["id"] == scenario.image


async def test_the_fast_lane_reports_errors_like_the_endpoint(server: InProcessServer, dial: Connect) -> None:
    line = await dial()
    line.send(request("nonsense", POINT, id="x"))
    status, headers, body = await line.read_response()

    assert (status, headers["www-authenticate"]) == ("HTTP/1.1 401 Unauthorized", "Bearer")
    assert body["errors"][0]["extensions"]["code"] == ErrorCode.UNAUTHENTICATED


async def test_a_request_in_transit_gets_its_response_before_a_drain_closes_its_connection(
    server: InProcessServer, dial: Connect
) -> None:
    scenario, token = await _scenario(server)
    line, idle = await dial(), await dial()
    whole = request(token, POINT, id=scenario.image)
    line.send(whole[:-5])
    await wait_until(lambda: any(isinstance(one, FastLaneProtocol) and one._buffered for one in server.connections))  # pyright: ignore[reportPrivateUsage]  # nothing else shows that its head has come
    for one in list(server.connections):
        one.shutdown()
    assert await idle.is_closed()
    line.send(whole[-5:])
    _, headers, body = await line.read_response()

    assert (headers["connection"], body["data"]["image"]["id"]) == ("close", scenario.image)
    assert await line.is_closed()


async def test_a_fault_behind_the_fast_lane_is_masked_and_has_a_request_id(
    server: InProcessServer, dial: Connect
) -> None:
    scenario, token = await _scenario(server)
    line = await dial()
    with patch.object(server.planner, "answer", side_effect=RuntimeError("a secret")):
        line.send(request(token, ACCEPT, id=scenario.image))
        status, headers, body = await line.read_response()

    [error] = body["errors"]
    assert (status, error["extensions"]["code"]) == (
        "HTTP/1.1 500 Internal Server Error",
        ErrorCode.INTERNAL_SERVER_ERROR,
    )
    assert error["extensions"]["requestId"] == headers["x-request-id"]
    assert "a secret" not in str(body)


async def test_a_repeated_request_sees_later_changes(server: InProcessServer, dial: Connect) -> None:
    scenario, token = await _scenario(server)
    line = await dial()
    body: list[Any] = []
    for _ in range(2):
        line.send(request(token, "{ offers { totalCount } }"))
        body.append((await line.read_response())[2]["data"]["offers"]["totalCount"])
        await scenario.consumer.accept(scenario.image)

    assert body == [1, 0]


async def test_a_repeated_request_needs_a_token_that_is_still_valid(server: InProcessServer, dial: Connect) -> None:
    scenario, token = await _scenario(server)
    line = await dial()
    line.send(request(token, POINT, id=scenario.image))
    assert (await line.read_response())[0] == "HTTP/1.1 200 OK"
    with patch("app.web.callers.tokens.time", return_value=datetime(9000, 1, 1, tzinfo=UTC).timestamp()):
        line.send(request(token, POINT, id=scenario.image))
        assert (await line.read_response())[0] == "HTTP/1.1 401 Unauthorized"


async def test_the_same_document_of_another_tenant_is_a_different_request(
    server: InProcessServer, dial: Connect
) -> None:
    scenario, _ = await _scenario(server)
    line, body = await dial(), list[Any]()
    for tenant_id in (scenario.consumer.id, scenario.owner.id, "999888777"):
        line.send(request(server.token_of(tenant_id), POINT, id=scenario.image))
        body.append((await line.read_response())[2]["data"]["image"] is not None)

    assert body == [True, True, False]
