"""An empty parameter means an absent one, because forms also send the fields that were not filled in."""

from collections.abc import AsyncGenerator

import httpx2
import pytest

from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.raw_clients import open_socket

QUERY = "query A { viewer { id } }"


@pytest.fixture(scope="module")
async def server(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(databases.fresh())) as served:
        yield served


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("name", ["operationName", "variables", "extensions", "documentId"])
async def test_an_empty_parameter_by_get_counts_as_absent(server: InProcessServer, name: str, accept: str) -> None:
    answer = await _send(server, "GET", accept, {"query": QUERY, name: ""})

    assert '"data":{"viewer":{"id":"1"}}' in answer.text


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("suffix", ["", "?long=way"])
async def test_an_empty_operation_name_by_post_counts_as_absent(
    server: InProcessServer, suffix: str, accept: str
) -> None:
    answer = await _send(server, "POST", accept, {"query": QUERY, "operationName": ""}, suffix)

    assert '"data":{"viewer":{"id":"1"}}' in answer.text


@pytest.mark.parametrize("query", [QUERY, "subscription A { watchOffers { cursor } }"])
async def test_an_empty_operation_name_over_websocket_counts_as_absent(server: InProcessServer, query: str) -> None:
    async with open_socket(server) as peer:
        await peer.send({"type": "subscribe", "id": "1", "payload": {"query": query, "operationName": ""}})

        assert (await peer.receive())["type"] == "next"


async def test_an_empty_query_by_get_is_refused_as_absent(server: InProcessServer) -> None:
    answer = await _send(server, "GET", "application/json", {"query": ""})

    assert answer.status_code == 400
    assert "Send a GraphQL document" in answer.text


async def _send(
    server: InProcessServer, method: str, accept: str, parameters: dict[str, str], suffix: str = ""
) -> httpx2.Response:
    headers = {"authorization": f"Bearer {server.token}", "accept": accept}
    async with httpx2.AsyncClient(trust_env=False, verify=False, headers=headers) as client:
        url = server.url.replace("ws", "http", 1) + suffix
        return await client.request(
            method,
            url,
            **({"params": parameters} if method == "GET" else {"json": parameters}),  # type: ignore[arg-type]
        )
