"""Readers at a constant rate, and watches over server-sent events."""

import asyncio
import json
from collections.abc import Callable
from itertools import cycle
from time import monotonic
from typing import Any, NamedTuple

import httpx2

from tests.chaos.watchers import SILENCE_SECONDS, ReceivedItem, Watcher
from tests.harness.operations import OFFER_EVENTS, OFFERS, SENT_OFFERS

LIST = "{ images(first: 20) { nodes { id name status members(first: 5) { totalCount nodes { id status } } } } }"
# A query that includes the log is executed without a plan.
UNPLANNED = "{ viewer { id } images { totalCount } offerEvents(first: 5) { pageInfo { endCursor } } }"
QUERIES = [LIST, OFFERS, SENT_OFFERS, UNPLANNED, "{ viewer { id images { totalCount } } }", OFFER_EVENTS]
AWAY_SECONDS = 0.2


class Read(NamedTuple):
    """One query: when it was sent, how long it took, and its error, if any."""

    begun: float
    seconds: float
    trouble: str | None


class Reader:
    def __init__(self, url: str, token: str, pause: float) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}
        self._pause = pause
        self.reads: list[Read] = []

    async def work(self, ended: asyncio.Event) -> None:
        async with httpx2.AsyncClient(timeout=10) as client:
            for query in cycle(QUERIES):
                if ended.is_set():
                    return
                begun = monotonic()
                trouble = await self._query(client, query)
                self.reads.append(Read(begun, monotonic() - begun, trouble))
                await asyncio.sleep(self._pause)  # a constant rate, so that slow responses barely lower the load

    async def _query(self, client: httpx2.AsyncClient, query: str) -> str | None:
        try:
            answer = await client.post(self._url, json={"query": query}, headers=self._headers)
            content = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            return repr(error)
        return (
            None if answer.status_code == 200 and "errors" not in content else f"{answer.status_code} {content}"[:300]
        )


class EventWatcher(Watcher):
    """A watch over SSE, which reconnects when its connection is cut."""

    async def _listen(self) -> None:
        address = self.url.replace("ws", "http", 1)
        async with httpx2.AsyncClient(timeout=httpx2.Timeout(10, read=SILENCE_SECONDS)) as client:
            while self.trouble is None:
                try:
                    await self._read_stream(client, address)
                except httpx2.HTTPError:
                    pass
                except (KeyError, AssertionError) as error:
                    self.trouble = error
                await asyncio.sleep(AWAY_SECONDS)  # as EventSource waits before it reconnects

    async def _read_stream(self, client: httpx2.AsyncClient, address: str) -> None:
        variables = {"filter": self.viewer.filter, "initial": self.initial, "after": self.load()}
        headers = {"accept": "text/event-stream", "authorization": f"Bearer {self._fresh_token()}"}
        request = {"query": self.query, "variables": variables}
        async with client.stream("POST", address, json=request, headers=headers) as answer:
            async for line in answer.aiter_lines():
                if answer.status_code == 200 and line.startswith("data: "):
                    self._receive(json.loads(line.removeprefix("data: ")))

    def _receive(self, result: dict[str, Any]) -> None:
        codes = {error["extensions"]["code"] for error in result.get("errors", ())}
        if codes:
            assert codes <= {"UNAVAILABLE", "RATE_LIMITED"}, result
            return
        self.received.append(ReceivedItem(monotonic(), result["data"][self.model.field]))


def to_event_watcher(watcher: Watcher, token: Callable[[], str]) -> EventWatcher:
    """Convert a WebSocket watcher to one over SSE."""
    return EventWatcher(watcher.url, token, watcher.viewer, watcher.model, watcher.initial, watcher.query)
