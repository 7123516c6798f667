"""Planned mutations over each transport."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect

from app.errors import Unavailable
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import PROTOCOL, InProcessServer, run_in_process
from tests.harness.mutation_recording import ACCEPT, FAILURES, record_answers
from tests.harness.sockets import WebSocketClient


@pytest.fixture
async def served(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(databases.fresh())) as server:
        yield server


@pytest.mark.parametrize("ended", FAILURES, ids=lambda ended: type(ended).__name__)
@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_clients_get_the_outcome_of_a_mutation_that_was_executed_once(
    served: InProcessServer, monkeypatch: pytest.MonkeyPatch, transport: str, ended: Exception | None
) -> None:
    calls = record_answers(monkeypatch, ended)
    owner, consumer = served.gateway.tenant("9"), served.gateway.tenant("1")
    image = await owner.register()
    await owner.offer(image, "1")
    calls.append("")
    ask = _over_http if transport == "http" else _over_websocket

    answer = await ask(served, ACCEPT, {"input": {"imageId": image}})

    assert calls == ["", image]
    assert served.planner.answered == 1
    if ended is None:
        assert answer["data"]["done"]["member"]["status"] == "ACCEPTED"
    else:
        code = "UNAVAILABLE" if isinstance(ended, Unavailable) else "INTERNAL_SERVER_ERROR"
        assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == (None, code)
        assert "after the fact" not in str(answer)
    assert consumer.id == "1"


async def _over_http(served: InProcessServer, query: str, variables: Any) -> Any:
    async with httpx2.AsyncClient(trust_env=False) as client:
        headers = {"authorization": f"Bearer {served.token}"}
        url = served.url.replace("ws", "http", 1)
        answer = await client.post(url, json={"query": query, "variables": variables}, headers=headers)
    for error in answer.json().get("errors", ()):
        assert error["extensions"]["requestId"] == answer.headers["x-request-id"]
    return answer.json()


async def _over_websocket(served: InProcessServer, query: str, variables: Any) -> Any:
    async with connect(served.url, subprotocols=[PROTOCOL], proxy=None) as connection:
        peer = WebSocketClient(connection)
        await peer.init(served.token)
        await peer.receive()
        messages = await peer.run(query, **variables)
    assert [message["type"] for message in messages] == ["next", "complete"]
    return messages[0]["payload"]
