"""Checks of the store for operators, before a server uses it."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from app.model import Event, EventHead
from app.store.database import Store
from app.store.engines.notify import CHANNEL
from app.store.migrate import cannot_open

_TABLES = ("image", "member", "event", "event_head", "recorded_outcome")
_SERVER = text(
    "SELECT current_setting('server_version_num')::int, current_setting('max_connections')::int, "
    "current_setting('superuser_reserved_connections')::int, clock_timestamp(), "
    "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
)
# PostgreSQL checks for any of several privileges in one string, so each is checked by itself.
_LACKS = text(
    "SELECT string_agg(name, ', ') FROM unnest(CAST(:tables AS text[])) AS name "
    "WHERE to_regclass(name) IS NULL OR EXISTS (SELECT FROM unnest(CAST(:needed AS text[])) AS one "
    "WHERE NOT has_table_privilege(name, one))"
)


class Server(NamedTuple):
    """A PostgreSQL server: its version as a number, its connections, its clock, and tables that may not be written."""

    version: int
    most_connections: int
    reserved_connections: int
    clock: datetime
    present_connections: int
    lacking: str | None


class Log(NamedTuple):
    """Where the log stands."""

    epoch: str
    head: int
    floor: int
    newest_at: datetime | None


async def server(store: Store) -> Server:
    async with store.reader.connect() as conn:
        row = (await conn.execute(_SERVER)).one()
        version, most, reserved, clock, present = row
        return Server(version, most, reserved, clock.astimezone(UTC), present, await _lacking(conn))


async def journal_mode(store: Store) -> str:
    async with store.reader.connect() as conn:
        return str(await conn.scalar(text("PRAGMA journal_mode")))


async def log(store: Store) -> Log:
    async with store.reader.connect() as conn:
        epoch, head, floor = (
            await conn.execute(select(col(EventHead.epoch), col(EventHead.seq), col(EventHead.floor)))
        ).one()
        return Log(epoch, head, floor, await conn.scalar(select(func.max(col(Event.occurred_at)))))


async def require_reachable(store: Store) -> None:
    """Raises SetupError."""
    try:
        async with store.reader.connect() as conn:
            await conn.run_sync(_nothing)
    except (DBAPIError, OSError) as error:
        raise cannot_open(store, error) from error


async def hears_itself(store: Store, at_most: float) -> bool:
    """Whether what one session of PostgreSQL notifies reaches another one that listens."""
    import psycopg

    url = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    channel = f"{CHANNEL}_doctor"
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as listening,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as telling,
    ):
        await listening.execute(f"LISTEN {channel}".encode())
        await telling.execute(f"NOTIFY {channel}".encode())
        async for _ in listening.notifies(timeout=at_most, stop_after=1):
            return True
    return False


async def _lacking(conn: Any) -> str | None:
    return await conn.scalar(_LACKS, {"tables": list(_TABLES), "needed": ["SELECT", "INSERT", "UPDATE", "DELETE"]})


def _nothing(conn: Connection) -> None:
    conn.exec_driver_sql("SELECT 1")
