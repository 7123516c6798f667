"""Statistics of the store, for the metrics."""

from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text

from app.store.database import Store
from app.store.snapshot import read_once

_QUERY = text(
    "SELECT pg_notification_queue_usage(), "
    "(SELECT coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid())"
)


class Vitals(NamedTuple):
    """The statistics that the store's engine has; the others are None.

    The age of transactions is of those that the gateway's role may see: its own ones, unless it may see all.
    """

    notification_queue_usage: float | None = None
    oldest_transaction_seconds: float | None = None
    wal_bytes: int | None = None


async def read(store: Store) -> Vitals:
    if store.url.get_backend_name() == "sqlite":
        return Vitals(wal_bytes=wal_bytes(Path(store.url.database or "")))
    usage, age = await read_once(store, _postgres)
    return Vitals(float(usage), float(age))


def wal_bytes(database: Path) -> int:
    """The size of the write-ahead log."""
    wal = database.with_name(f"{database.name}-wal")
    return wal.stat().st_size if wal.exists() else 0


async def _postgres(conn: Any) -> tuple[Any, Any]:
    return (await conn.execute(_QUERY)).one()
