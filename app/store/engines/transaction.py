"""One change of the store: everything in it is committed together, or nothing is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.store.engines.prepared import Connection

Clock = Callable[[], datetime]


@dataclass
class Transaction:
    """The transaction of an action. `has_log_entries` once it has appended to the log."""

    conn: Connection
    clock: Clock
    now: datetime
    has_log_entries: bool = False
