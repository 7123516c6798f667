"""Opens each engine: SQLite for the embedded default, PostgreSQL for many workers."""

import json
from functools import partial
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.errors import SetupError

_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # The write-ahead log is checkpointed every 1,000 pages, in the thread that commits. One that has grown while a
    # reader kept it from that is truncated to this many bytes afterwards.
    "journal_size_limit = 67108864",
)
# How long a transaction waits for another process that writes to the file. A migration takes its time once, and the
# writers that it finds at work may leave it few gaps.
_BUSY_SECONDS, _MIGRATION_BUSY_SECONDS = 5, 60
# No statement waits for ever, neither for another transaction nor for a server that has vanished.
_SERVER_LIMITS = {
    "lock_timeout": "4s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
}
# The size of the pools for writing and for reading, and of the pool of the log's follower.
POOL, FOLLOWERS = 8, 2
# The longest wait for a pooled connection; then the store counts as overloaded.
POOL_SECONDS = 5
_CLIENT_LIMITS = {"connect_timeout": 5, "keepalives_idle": 10, "tcp_user_timeout": 20_000}
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


def as_json(value: Any) -> str:
    """JSON as it stands in responses: without escapes that are not needed, and without spaces."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value)  # what a client sent with a lone surrogate in it, in an outcome that is recorded


def parse_url(text: str) -> URL:
    """The database URL, refused with a sentence when this gateway can't serve from it."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise SetupError(f"The database URL can't be read. {_FORMS}") from error
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise SetupError(f"The database {url.get_backend_name()!r} is not supported. {_FORMS}")
    if driver == _DRIVERS["sqlite"] and not _is_path(url.database):
        raise SetupError(f"SQLite needs the path of a file; a store in memory would forget every offer. {_FORMS}")
    return url.set(drivername=driver)


def _is_path(database: str | None) -> bool:
    return bool(database) and not database.startswith("file:") and ":memory:" not in database


def open_reader(url: URL) -> AsyncEngine:
    """Snapshots: read-only, and consistent from the first statement to the last."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, "BEGIN", pool_size=5, max_overflow=0)
    return _snapshots(_postgres(url))


def open_follower(url: URL) -> AsyncEngine:
    """Snapshots for the log's follower, which clients can't keep waiting for a connection.

    The second connection is used when the first one has not answered in time.
    """
    return _snapshots(_postgres(url, pool_size=FOLLOWERS))


def open_writer(url: URL) -> AsyncEngine:
    """Transactions that write. On SQLite it is for work that no client has requested: upkeep and commands."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, "BEGIN IMMEDIATE", pool_size=1, max_overflow=0)
    return _postgres(url)


def open_migrator(url: URL) -> AsyncEngine:
    """One connection for migrations, which outwaits the writers of the embedded store."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, "BEGIN IMMEDIATE", _MIGRATION_BUSY_SECONDS, pool_size=1, max_overflow=0)
    return _postgres(url, pool_size=1)


def open_direct(url: URL) -> Engine:
    """One connection to the embedded store, whose transactions the caller begins and ends."""
    direct = url.set(drivername="sqlite+pysqlite")
    # The event loop and a helper thread use it in turns.
    arguments = {"check_same_thread": False}
    engine = create_engine(
        direct,
        poolclass=StaticPool,
        isolation_level="AUTOCOMMIT",
        connect_args=arguments,
        json_serializer=as_json,
        json_deserializer=orjson.loads,
    )
    event.listen(engine, "connect", partial(_prepare_sqlite, busy_seconds=_BUSY_SECONDS))
    return engine


def _sqlite(url: URL, begin: str, busy_seconds: int = _BUSY_SECONDS, **pool: int) -> AsyncEngine:
    engine = create_async_engine(url, **pool, pool_timeout=POOL_SECONDS, json_serializer=as_json)
    event.listen(engine.sync_engine, "connect", partial(_prepare_sqlite, busy_seconds=busy_seconds))
    event.listen(engine.sync_engine, "begin", partial(_begin, begin=begin))
    return engine


def _prepare_sqlite(dbapi_connection: Any, _record: object, busy_seconds: int) -> None:
    # The driver would begin transactions late and as deferred ones; `_begin` does it instead.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in (f"busy_timeout = {busy_seconds * 1000}", *_PRAGMAS):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(conn: Connection, begin: str) -> None:
    conn.exec_driver_sql(begin)


def _snapshots(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def postgres_arguments(url: URL) -> dict[str, Any]:
    """The parameters of each connection, except its address."""
    options = url.query.get("options")
    limits = [f"-c {name}={value}" for name, value in _SERVER_LIMITS.items()]
    return {**_CLIENT_LIMITS, "options": " ".join([*limits, *([options] if isinstance(options, str) else [])])}


def _postgres(url: URL, pool_size: int = POOL) -> AsyncEngine:
    arguments = postgres_arguments(url)
    try:
        return create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            pool_pre_ping=True,
            connect_args=arguments,
            json_serializer=as_json,
        )
    except ModuleNotFoundError as error:
        raise SetupError(
            "PostgreSQL needs its driver: pip install 'image-sharing-gateway[postgres]', in a clone -e '.[postgres]'."
        ) from error


_FORMS = "Use sqlite+aiosqlite:///gateway.db or postgresql+psycopg://user:password@host/name."
