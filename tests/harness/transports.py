"""Sends an operation over each transport of a gateway in this process."""

import json
from typing import Any, NamedTuple

import httpx2
from websockets.asyncio.client import connect

from tests.harness.inprocess import PROTOCOL, InProcessServer
from tests.harness.sockets import WebSocketClient

# Only the first takes the fast lane; a query string, or a method other than POST, bypasses it.
TRANSPORTS = ("lane", "endpoint", "get", "events", "websocket")


class Reply(NamedTuple):
    """A response, with its status and headers over HTTP, and the type of its message over WebSocket."""

    body: dict[str, Any]
    status: int = 200
    headers: Any = None
    kind: str = "next"

    @property
    def cost(self) -> Any:
        return self.body.get("extensions", {}).get("cost")

    @property
    def code(self) -> str:
        return self.body["errors"][0]["extensions"]["code"]


async def send_over(
    server: InProcessServer, transport: str, query: str, token: str | None = None, **variables: Any
) -> Reply:
    return await send_parameters_over(server, transport, {"query": query, "variables": variables}, token)


async def send_parameters_over(
    server: InProcessServer, transport: str, parameters: dict[str, Any], token: str | None = None
) -> Reply:
    """Send these GraphQL-over-HTTP parameters in a request or a WebSocket message, and return the reply."""
    if transport == "websocket":
        return await _over_websocket(server, parameters, token)
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    url = server.url.replace("ws", "http", 1)
    # Setting up TLS, which is not used here, would take longer than the request.
    async with httpx2.AsyncClient(trust_env=False, verify=False, headers=headers) as client:
        if transport == "get":
            inner = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
            response = await client.get(url, params=inner)
        elif transport == "events":
            response = await client.post(url, json=parameters, headers={"accept": "text/event-stream"})
        else:
            response = await client.post(url + ("" if transport == "lane" else "?long=way"), json=parameters)
    text = response.text
    if "event-stream" in response.headers["content-type"]:
        text = text.partition("data: ")[2].partition("\n")[0]
    return Reply(json.loads(text), response.status_code, response.headers)


async def _over_websocket(server: InProcessServer, parameters: dict[str, Any], token: str | None) -> Reply:
    async with connect(server.url, subprotocols=[PROTOCOL], proxy=None) as connection:
        peer = WebSocketClient(connection)
        await peer.init(token)
        assert (await peer.receive())["type"] == "connection_ack"
        await peer.send({"type": "subscribe", "id": "1", "payload": parameters})
        first = last = await peer.receive()
        while last["type"] == "next":
            last = await peer.receive()
        body = {"errors": first["payload"]} if first["type"] == "error" else first["payload"]
        return Reply(body, kind=first["type"])
