"""WebSocket clients that have stopped reading: uvicorn waits for them forever, so they are cut off here."""

import asyncio
import socket
import struct
from functools import partial
from sys import getsizeof
from typing import Any

from uvicorn._types import ASGISendEvent

from app.settings import Settings
from app.web.limits.unread import SlowReaders
from app.web.server.websocket_protocol import StrictWebSocketProtocol

SEND_BUFFER_BYTES = 65_536
CLOSE_SECONDS = 3.0
# The position of `tcpi_bytes_acked` in Linux's `struct tcp_info`, which has it since version 4.1.
_BYTES_ACKED_AT, _TCP_INFO_BYTES = 120, 128


class Inbox:
    """The part of `asyncio.Queue` that uvicorn uses, for one reader. It takes little memory per socket."""

    __slots__ = ("_messages", "_waiter")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._waiter: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        self._messages.append(message)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def empty(self) -> bool:
        return not self._messages

    async def get(self) -> Any:
        while not self._messages:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._waiter = None
        return self._messages.pop(0)


class WebSocketProtocol(StrictWebSocketProtocol):
    """Aborts the connection of a client that reads nothing for a while.

    A close would first have to flush the buffer, which such a client prevents. It sees code 1006 and reconnects with
    its cursor. It never sees uvicorn's own code for a missing pong, 1011, after which clients give up.
    """

    _cut_timer: asyncio.TimerHandle | None = None
    _acked_at_ping = 0

    def __init__(self, *, stall_seconds: float, slow_readers: SlowReaders, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.queue: Any = Inbox()
        self._stall_seconds = stall_seconds
        self._slow_readers = slow_readers

    def start_keepalive(self) -> None:
        """Free the headers of the handshake, which is over."""
        self.request.headers.clear()
        self.response.headers.clear()
        super().start_keepalive()

    async def send(self, message: ASGISendEvent) -> None:
        if not self.writable.is_set():
            await self._wait_until_writable(message)
        await super().send(message)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._slow_readers.add(self.transport)
        self._cut_if_stalled(self._acked_bytes())

    def resume_writing(self) -> None:
        self._cancel_cut()
        self._slow_readers.discard(self.transport)
        super().resume_writing()

    def send_keepalive_ping(self) -> None:
        self._acked_at_ping = self._acked_bytes()
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Cut off the client, unless it is reading: then it has not come to the ping yet."""
        self.pong_timer = None
        if (acked := self._acked_bytes()) > self._acked_at_ping and self.ping_timeout is not None:
            self._acked_at_ping = acked
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
        else:
            self._cut()

    def shutdown(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
            self._cancel_cut()
            self._cut_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_cut()
        self._slow_readers.discard(self.transport)
        super().connection_lost(exc)

    async def _wait_until_writable(self, message: ASGISendEvent) -> None:
        """Wait for room for one message at a time. uvicorn would write all of them once there is room for one."""
        with self._slow_readers.holding(self.transport, getsizeof(message.get("text"))):
            while not self.writable.is_set():
                await self.writable.wait()

    def _cut_if_stalled(self, acked_before: int) -> None:
        """Check again and again, while the buffer is full, whether the client reads."""

        def check() -> None:
            if (acked := self._acked_bytes()) > acked_before:
                self._cut_if_stalled(acked)
            else:
                self._cut()

        self._cancel_cut()
        self._cut_timer = self.loop.call_later(self._stall_seconds, check)

    def _cut(self) -> None:
        self._slow_readers.cut += 1
        self.transport.abort()

    def _cancel_cut(self) -> None:
        if self._cut_timer is not None:
            self._cut_timer.cancel()
            self._cut_timer = None

    def _acked_bytes(self) -> int:
        """The bytes that the client's machine has acknowledged; 0 where the kernel does not count them."""
        sock = self.transport.get_extra_info("socket")
        if sock is None or not hasattr(socket, "TCP_INFO"):
            return 0
        info: bytes = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        return struct.unpack_from("=Q", info, _BYTES_ACKED_AT)[0] if len(info) >= _TCP_INFO_BYTES else 0


def websocket_protocol(settings: Settings, slow_readers: SlowReaders) -> Any:
    """The protocol factory for uvicorn, which passes arguments of its own for each connection."""
    return partial(
        WebSocketProtocol,
        messages_per_second=settings.max_messages_per_second,
        stall_seconds=settings.stall_seconds,
        slow_readers=slow_readers,
    )


def abort_stalled_connections(listener: socket.socket, stall_seconds: float) -> None:
    """Have the kernel abort connections whose peer acknowledges nothing. They inherit this from the listener."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stall_seconds * 1_000))
