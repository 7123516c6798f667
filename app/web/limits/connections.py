"""The TCP connections of one server process, whatever is spoken on them: no more than it has files for."""

import resource
from collections import Counter
from collections.abc import Sized
from typing import Any

from app.settings import Settings

# For the store, libraries and logs; and for lines beyond the others, on which only health may be asked for.
OTHER_FILES, RESERVE = 100, 50
LEAST = 50


class ConnectionLimit:
    """How many there may be, how many there are, and how many were turned away or closed for others."""

    def __init__(self, settings: Settings) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        room = settings.max_open_connections if files == resource.RLIM_INFINITY else files - OTHER_FILES - RESERVE
        self.most = max(LEAST, min(room, settings.max_open_connections))
        # Those that are open; the server keeps them.
        self.open: Sized = ()
        # Those that are too many, in the order in which they came.
        self.reserve: dict[Any, None] = {}
        self.turned_away: Counter[str] = Counter()
        self.looked_at = float("-inf")
