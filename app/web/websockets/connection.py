"""One WebSocket: what is known of it, and how messages are read and written."""

from asyncio import Semaphore
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter

from app.model import Caller

# A control frame has 125 bytes, two of them for the code.
LONGEST_REASON_BYTES = 123
# Operations of one socket that are executed or being sent at a time, since each may hold a whole response. The others
# begin when the client has read on, so that no result is ever thrown away.
MOST_AT_ONCE = 4


@dataclass
class Connection:
    """What is known of one socket: filled from `connection_init`."""

    connection_params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    caller: Caller | None = None
    turn: Semaphore = field(default_factory=lambda: Semaphore(MOST_AT_ONCE))


class Socket(ASGIWebSocketAdapter):
    """Sends text whatever the encoder makes, and takes nothing but JSON in text."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        await self.send_text(orjson.dumps(message).decode())

    async def send_text(self, message: str) -> None:
        # A message after the close has nobody to reach: the client has its close code already.
        if self.ws.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):
                await self.ws.send({"type": "websocket.send", "text": message})

    async def close(self, code: int, reason: str) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):
                await self.ws.close(code=code, reason=_fitting(reason))


def _fitting(reason: str) -> str:
    """As much of it as a close frame takes, which counts bytes; no character is cut in two."""
    return reason.encode(errors="replace")[:LONGEST_REASON_BYTES].decode(errors="ignore")
