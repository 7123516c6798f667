"""The limit on TCP connections of one server process, which keeps it from running out of file descriptors."""

import resource
from collections import Counter
from collections.abc import Iterable, Sized
from typing import Protocol

from app.settings import Settings

# For the store, libraries and logs.
OTHER_FILES = 100
# Connections over the limit, which may only ask for the health of the process.
RESERVE = 50
MIN_CONNECTIONS = 50
# A client has this long to start a request before its connection counts as idle.
GRACE_SECONDS = 1.0
SEARCH_INTERVAL_SECONDS = 0.1


class ClientConnection(Protocol):
    """A connection over HTTP, as far as the limit is concerned."""

    @property
    def idle_since(self) -> float: ...
    def is_idle(self, now: float) -> bool: ...
    def evict(self) -> None: ...


class ConnectionLimit:
    """Closes idle connections when there are too many, then lets a few in for health checks only."""

    def __init__(self, settings: Settings) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        available = settings.max_open_connections if files == resource.RLIM_INFINITY else files - OTHER_FILES - RESERVE
        self.max = max(MIN_CONNECTIONS, min(available, settings.max_open_connections))
        # The server's own set of connections.
        self.open: Sized = ()
        self.turned_away: Counter[str] = Counter()
        self._reserve: dict[ClientConnection, None] = {}
        self._searched_at = float("-inf")

    def close_idle(self, connections: Iterable[ClientConnection], now: float) -> bool:
        """Close those that have been idle the longest, a tenth of the limit. Returns False if none is idle."""
        if now < self._searched_at + SEARCH_INTERVAL_SECONDS:
            return False
        self._searched_at = now
        idle = sorted((one for one in connections if one.is_idle(now)), key=lambda one: one.idle_since)
        evicted = idle[: max(1, self.max // 10)]
        for connection in evicted:
            connection.evict()
        self.turned_away["idle"] += len(evicted)
        return bool(evicted)

    def add_to_reserve(self, connection: ClientConnection) -> None:
        """Let in a connection over the limit. A full reserve evicts its oldest connection."""
        if len(self._reserve) >= RESERVE:
            oldest = next(iter(self._reserve))
            del self._reserve[oldest]
            oldest.evict()
            self.turned_away["refused"] += 1
        self._reserve[connection] = None

    def discard_from_reserve(self, connection: ClientConnection) -> None:
        self._reserve.pop(connection, None)
