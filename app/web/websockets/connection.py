"""One WebSocket: its state, and how messages are read and written."""

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
MAX_REASON_BYTES = 123
# Each operation that is executed, or whose result is being sent, may hold a whole response. More of them wait until the
# client has read the results before.
MAX_CONCURRENT_OPERATIONS = 4


@dataclass
class Connection:
    """The state of one socket. `connection_init` sets the caller."""

    connection_params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    caller: Caller | None = None
    concurrency: Semaphore = field(default_factory=lambda: Semaphore(MAX_CONCURRENT_OPERATIONS))


class Socket(ASGIWebSocketAdapter):
    """Sends JSON that is encoded already as well, and ignores what is sent after the close."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        await self.send_text(orjson.dumps(message).decode())

    async def send_text(self, message: str) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):
                await self.ws.send({"type": "websocket.send", "text": message})

    async def close(self, code: int, reason: str) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):
                await self.ws.close(code=code, reason=_truncate(reason))


def _truncate(reason: str) -> str:
    """As much of a reason as fits into a close frame, cut between characters."""
    return reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore")
