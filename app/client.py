"""A Python client for watches that resumes after lost connections and after restarts of the program.

    async for item in watch(url, QUERY, token=fresh_token, cursors=CursorFile("offers.cursor")):
        ...

The query declares `$after: Cursor` and passes it on. The cursor of an item is stored when the next item is requested,
which means that the item has been processed: after a crash an item may be repeated, but none is missed.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

SILENCE_SECONDS = 40.0
LONGEST_PAUSE_SECONDS = 5.0
Receive = Callable[[], Awaitable[dict[str, Any]]]
_PROTOCOL = Subprotocol("graphql-transport-ws")
_FOR_GOOD = {4400, 4401, 4406, 4409, 4429}


class WatchEnded(Exception):
    """The watch has ended, and reconnecting would not help. `errors` are those that the gateway sent, if any."""

    def __init__(self, message: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []


class Cursors(Protocol):
    """Stores the position of a watch."""

    def load(self) -> str | None: ...

    def store(self, cursor: str) -> None: ...


class CursorFile:
    """Stores the position in a file, which is replaced atomically."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def load(self) -> str | None:
        return self._path.read_text() if self._path.exists() else None

    def store(self, cursor: str) -> None:
        new = self._path.with_suffix(f"{self._path.suffix}.new")
        new.write_text(cursor)
        new.replace(self._path)


class CursorInMemory:
    """Keeps the position in memory, until the program ends."""

    def __init__(self) -> None:
        self._cursor: str | None = None

    def load(self) -> str | None:
        return self._cursor

    def store(self, cursor: str) -> None:
        self._cursor = cursor


async def watch(
    url: str,
    query: str,
    *,
    token: Callable[[], str],
    variables: Mapping[str, Any] | None = None,
    cursors: Cursors | None = None,
    silence_seconds: float = SILENCE_SECONDS,
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the `data` of each item of a subscription exactly once, reconnecting as often as necessary.

    `url` is the ws:// or wss:// address; `token` is called for every connection and returns a valid token.
    A connection on which nothing arrives for `silence_seconds`, not even a bookmark, is considered lost.
    Raises WatchEnded if the gateway refuses the token or the subscription for good or can't produce an item, and
    whatever `token` or `cursors` raise.
    """
    position = cursors or CursorInMemory()
    attempt = 0
    while True:
        resumed = {**(variables or {}), "after": position.load()}
        async with aclosing(_payloads(url, query, token, resumed, silence_seconds)) as payloads:
            async for payload in payloads:
                attempt = 0
                yield payload["data"]
                position.store(payload["extensions"]["cursor"])
        # Exponential backoff with jitter, so that clients do not overrun a gateway that has restarted.
        await asyncio.sleep(min(0.25 * 2**attempt, LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1.0))
        attempt = min(attempt + 1, 10)


async def _payloads(
    url: str, query: str, token: Callable[[], str], variables: dict[str, Any], silence_seconds: float
) -> AsyncGenerator[dict[str, Any]]:
    """The payloads that arrive over one connection, until it is lost."""
    try:
        # Without pings: a pong would wait behind the items that a slow consumer has not read yet.
        async with connect(url, subprotocols=[_PROTOCOL], close_timeout=2, ping_interval=None) as connection:
            receive = partial(_receive, connection, silence_seconds)
            await _subscribe(connection, receive, query, token(), variables)
            while (payload := await _next_payload(receive)) is not None:
                yield payload
    except ConnectionClosed as closed:
        if closed.rcvd is not None and closed.rcvd.code in _FOR_GOOD:
            raise WatchEnded(f"The gateway closed for good: {closed.rcvd.reason}") from closed
    except (OSError, TimeoutError, InvalidHandshake):
        return


async def _subscribe(
    connection: ClientConnection, receive: Receive, query: str, token: str, variables: dict[str, Any]
) -> None:
    init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
    await connection.send(json.dumps(init))
    await receive()
    payload = {"query": query, "variables": variables}
    await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))


async def _next_payload(receive: Receive) -> dict[str, Any] | None:
    """The next payload; None if the watch was refused by a rate limit, so that it can be retried."""
    while True:
        message = await receive()
        if message["type"] == "next" and message["payload"]["data"] is not None:
            return message["payload"]
        if message["type"] in ("next", "error"):
            payload = message["payload"]
            errors = cast(list[dict[str, Any]], payload if isinstance(payload, list) else payload["errors"])
            if errors[0].get("extensions", {}).get("code") == "RATE_LIMITED":
                return None
            raise WatchEnded(f"The gateway refused the watch: {errors[0]['message']}", errors)


async def _receive(connection: ClientConnection, silence_seconds: float) -> dict[str, Any]:
    async with asyncio.timeout(silence_seconds):
        return json.loads(await connection.recv(decode=True))
