"""The sockets of clients that have stopped reading: uvicorn waits for them without end, so they are cut here."""

import asyncio
import socket
import struct
from sys import getsizeof
from typing import Any, ClassVar

from uvicorn._types import ASGISendEvent

from app.settings import Settings
from app.web.limits.unread import SlowReaders
from app.web.server.message_rate import Paced

SEND_BUFFER_BYTES = 65_536
LAST_FLUSH_SECONDS = 3.0
# Where Linux counts acknowledged bytes in `struct tcp_info`, from version 4.1 on.
_BYTES_ACKED_AT, _TCP_INFO_BYTES = 120, 128


class Inbox:
    """What uvicorn asks of `asyncio.Queue`, for its one reader: with thousands of sockets the weight of each counts."""

    __slots__ = ("_messages", "_waiting")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._waiting: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        self._messages.append(message)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def empty(self) -> bool:
        return not self._messages

    async def get(self) -> Any:
        while not self._messages:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        self._waiting = None
        return self._messages.pop(0)


class FreeingProtocol(Paced):
    """uvicorn's WebSocket, which cuts the line to a peer that takes no byte for a time.

    Closing would first flush, which such a peer never lets happen; the client sees 1006 and comes back with its
    cursor. Above all it never sees 1011, uvicorn's own answer to a missing pong, after which clients give up.
    """

    stall_seconds: ClassVar[float] = 30.0
    slow_readers: ClassVar[SlowReaders]
    _cut: asyncio.TimerHandle | None = None
    _taken_at_ping = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue: Any = Inbox()

    def start_keepalive(self) -> None:
        """The handshake is over, and nobody reads again what it was made of."""
        self.request.headers.clear()
        self.response.headers.clear()
        super().start_keepalive()

    async def send(self, message: ASGISendEvent) -> None:
        if not self.writable.is_set():
            await self._is_writable(message)
        await super().send(message)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.slow_readers.add(self.transport)
        self._cut_unless_it_takes_bytes(self._taken())

    def resume_writing(self) -> None:
        self._keep()
        self.slow_readers.discard(self.transport)
        super().resume_writing()

    def send_keepalive_ping(self) -> None:
        self._taken_at_ping = self._taken()
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """A peer that reads slowly has not come to the ping yet."""
        self.pong_timer = None
        if (taken := self._taken()) > self._taken_at_ping and self.ping_timeout is not None:
            self._taken_at_ping = taken
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
        else:
            self._free()

    def shutdown(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
            self._cut_in(LAST_FLUSH_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._keep()
        self.slow_readers.discard(self.transport)
        super().connection_lost(exc)

    async def _is_writable(self, message: ASGISendEvent) -> None:
        """Wait in turn: uvicorn writes everything that waits as soon as there is room for some of it."""
        with self.slow_readers.holding(self.transport, getsizeof(message.get("text"))):
            while not self.writable.is_set():
                await self.writable.wait()

    def _cut_unless_it_takes_bytes(self, taken_before: int) -> None:
        """Look again and again while the peer is behind."""

        def look() -> None:
            if (taken := self._taken()) > taken_before:
                self._cut_unless_it_takes_bytes(taken)
            else:
                self._free()

        self._keep()
        self._cut = self.loop.call_later(self.stall_seconds, look)

    def _free(self) -> None:
        self.slow_readers.cut += 1
        self.transport.abort()

    def _taken(self) -> int:
        """Bytes that the peer's machine has acknowledged; 0 where the kernel does not count them."""
        line = self.transport.get_extra_info("socket")
        if line is None or not hasattr(socket, "TCP_INFO"):
            return 0
        info: bytes = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        return struct.unpack_from("=Q", info, _BYTES_ACKED_AT)[0] if len(info) >= _TCP_INFO_BYTES else 0

    def _cut_in(self, seconds: float) -> None:
        self._keep()
        self._cut = self.loop.call_later(seconds, self.transport.abort)

    def _keep(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None


def protocol(settings: Settings, slow_readers: SlowReaders) -> Any:
    """The protocol as uvicorn takes it: a class."""
    limits = {"stall_seconds": settings.stall_seconds, "messages_per_second": settings.max_messages_per_second}
    return type("Protocol", (FreeingProtocol,), {**limits, "slow_readers": slow_readers})


def free_stalled_peers(listener: socket.socket, stall_seconds: float) -> None:
    """Let the kernel give up on peers that acknowledge nothing, on every transport; its sockets inherit this."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stall_seconds * 1_000))
