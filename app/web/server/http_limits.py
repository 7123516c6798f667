"""The limits of HTTP connections, and the size of requests that have not arrived completely."""

from dataclasses import dataclass, field

from app.web.limits.connections import ConnectionLimit
from app.web.limits.unread import SlowReaders
from app.web.server import refusal
from app.web.server.refusal import MAX_HEAD_BYTES, MAX_HEADERS, HttpRefusal

MAX_PARTIAL_BYTES = 64_000_000
# A request that holds no more than this is served however much the others hold.
ALWAYS_ALLOWED_BYTES = 16_384


class PartialRequests:
    """Counts the bytes held of incomplete requests, over all connections of a process."""

    def __init__(self) -> None:
        self.bytes = 0


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """The limits of a process, which all of its connections share."""

    request_seconds: float
    max_body_bytes: int
    connections: ConnectionLimit
    slow_readers: SlowReaders
    partial_requests: PartialRequests = field(default_factory=PartialRequests)


class PartialRequest:
    """Counts what has arrived of one connection's incomplete request."""

    __slots__ = ("_held", "_limits", "_overhead", "received")

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self.received = 0
        self._held = 0
        # Bytes since the last byte of a body: headers, trailers or chunk extensions.
        self._overhead = 0

    def add(self, received: int, held: int, has_body: bool) -> None:
        """Count a piece of the request: the bytes that surely belong to it, and those that are held with it."""
        self.received += received
        self._held += held
        self._limits.partial_requests.bytes += held
        self._overhead = 0 if has_body else self._overhead + received

    def reset(self) -> None:
        self._limits.partial_requests.bytes -= self._held
        self.received = self._held = self._overhead = 0

    def refusal(self, expects_body: bool, headers: int) -> HttpRefusal | None:
        """Why the request is refused, if it holds too much."""
        if self._limits.partial_requests.bytes > MAX_PARTIAL_BYTES and self._held > ALWAYS_ALLOWED_BYTES:
            return refusal.unavailable("The gateway is receiving too many large requests.")
        # Chunk sizes may take as much again as the body itself.
        max_bytes = MAX_HEAD_BYTES + (2 * self._limits.max_body_bytes if expects_body else 0)
        if self._overhead > MAX_HEAD_BYTES or self.received > max_bytes:
            return refusal.head_too_large()
        return refusal.too_many_headers() if headers > MAX_HEADERS else None
