"""Sends an operation over each transport of a gateway in this process."""

import json
from typing import Any, NamedTuple

import httpx2
from websockets.asyncio.client import connect

from tests.harness.inprocess import PROTOCOL, InProcess
from tests.harness.sockets import Peer

# The fast lane answers the first alone: a query string, or another method than POST, leads past it.
TRANSPORTS = ("lane", "endpoint", "get", "events", "websocket")


class Reply(NamedTuple):
    """A response: status and headers over HTTP, the type of the message over WebSocket."""

    answer: dict[str, Any]
    status: int = 200
    headers: Any = None
    kind: str = "next"

    @property
    def cost(self) -> Any:
        return self.answer.get("extensions", {}).get("cost")

    @property
    def code(self) -> str:
        return self.answer["errors"][0]["extensions"]["code"]


async def send_over(server: InProcess, transport: str, query: str, token: str | None = None, **variables: Any) -> Reply:
    if transport == "websocket":
        return await _over_websocket(server, query, token, variables)
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    url, given = server.url.replace("ws", "http", 1), {"query": query, "variables": variables}
    # There is no TLS here, and preparing for it would take longer than the request.
    async with httpx2.AsyncClient(trust_env=False, verify=False, headers=headers) as client:
        if transport == "get":
            response = await client.get(url, params={"query": query, "variables": json.dumps(variables)})
        elif transport == "events":
            response = await client.post(url, json=given, headers={"accept": "text/event-stream"})
        else:
            response = await client.post(url + ("" if transport == "lane" else "?long=way"), json=given)
    text = response.text
    if "event-stream" in response.headers["content-type"]:
        text = text.partition("data: ")[2].partition("\n")[0]
    return Reply(json.loads(text), response.status_code, response.headers)


async def _over_websocket(server: InProcess, query: str, token: str | None, variables: Any) -> Reply:
    async with connect(server.url, subprotocols=[PROTOCOL], proxy=None) as connection:
        peer = Peer(connection)
        await peer.init(token)
        assert (await peer.hear())["type"] == "connection_ack"
        first, *_ = await peer.run(query, **variables)
        answer = {"errors": first["payload"]} if first["type"] == "error" else first["payload"]
        return Reply(answer, kind=first["type"])
