"""WebSocket clients cheap enough to run thousands of them next to the server under test."""

import asyncio
import base64
import json
import os
from collections.abc import Callable
from typing import Any

TEXT, PING = 0x81, 0x89
OnMessage = Callable[[bytes], None]


class WatchConnection(asyncio.Protocol):
    """One watch on one socket. It passes payloads on without parsing them."""

    def __init__(self, port: int, token: str, query: str, hear: OnMessage) -> None:
        self._port, self._token, self._query, self._hear = port, token, query, hear
        self._buffer = bytearray()
        self._is_open = False
        self._transport: asyncio.Transport
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head, bytes(head)
            self._is_open, self._buffer = True, rest
            self.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {self._token}"}})
        while (frame := self._next_frame()) is not None:
            self._handle(*frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def send(self, message: dict[str, Any]) -> None:
        self._write(TEXT, json.dumps(message).encode())

    def close(self) -> None:
        self._transport.abort()

    def _handle(self, kind: int, payload: bytes) -> None:
        if kind == PING:
            self._write(0x8A, payload)
        elif b'"connection_ack"' in payload:
            self.send({"type": "subscribe", "id": "1", "payload": {"query": self._query}})
        else:
            self._hear(payload)

    def _next_frame(self) -> tuple[int, bytes] | None:
        """The next complete frame. A server's frames are not masked."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        start, size = 2, buffer[1] & 0x7F
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return None
        kind, payload = buffer[0], bytes(buffer[start : start + size])
        del buffer[: start + size]
        return kind, payload

    def _write(self, kind: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + size.to_bytes(2, "big")
        # A mask of zeros is valid, and costs nothing.
        self._transport.write(bytes([kind]) + length + bytes(4) + payload)
