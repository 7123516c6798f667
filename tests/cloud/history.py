"""The true order of Glance's changes, as PostgreSQL's log tells it by logical decoding."""

import re
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

_COLUMN = re.compile(r"(\w+)\[[^\]]+\]:(?:'((?:[^']|'')*)'|(\S+))")
# An image and a tenant.
Key = tuple[str, str]


class History:
    """What has happened to members since the recording began."""

    def __init__(self, connection: "psycopg.Connection[tuple[str]]", slot: str) -> None:
        self._connection = connection
        self._slot = slot

    def steps(self) -> dict[Key, list[set[str | None]]]:
        """The statuses that a member's rows had after each change, {None} for no row. Glance may hold several rows."""
        query = "SELECT data FROM pg_logical_slot_peek_changes(%s, NULL, NULL)"
        rows: dict[str, tuple[Key, str | None]] = {}
        found: dict[Key, list[set[str | None]]] = defaultdict(list)
        for (line,) in self._connection.execute(query, (self._slot,)):
            if not line.startswith("table public.image_members: ") or " DELETE: " in line:
                continue
            row = {name: text or plain for name, text, plain in _COLUMN.findall(line)}
            key = row["image_id"], row["member"]
            rows[row["id"]] = key, None if row["deleted"] == "true" else row["status"].upper()
            live: set[str | None] = {status for other, status in rows.values() if other == key and status is not None}
            found[key].append(live or {None})
        return found


@contextmanager
def recorded(database_url: str) -> Generator[History]:
    """Record Glance's changes until the block ends."""
    slot = f"tests_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", (slot,))
        try:
            yield History(connection, slot)
        finally:
            connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
