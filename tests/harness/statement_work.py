"""Measures the work of statements without a clock: instructions of SQLite's virtual machine, buffers of PostgreSQL."""

import asyncio
import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg
from sqlalchemy import event

from app.store.database import Store
from app.store.engines.sqlite_direct import WritingConnection

Sent = tuple[str, Any]
TABLES = ("image", "member")
RUNS, PATIENCE_SECONDS = 5, 20
NOT_ALL_VISIBLE = "SELECT 1 FROM pg_class WHERE relname = ANY(%s) AND relkind = 'r' AND relallvisible < relpages"


@contextmanager
def record_reads(store: Store) -> Generator[list[Sent]]:
    """Record the reads that are sent to the store during the block, with their parameters."""
    sent: list[Sent] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            sent.append((statement, parameters))

    async def run_noted(conn: WritingConnection, statement: str, parameters: Any = None) -> Any:
        note(None, None, statement, parameters or ())
        return await run(conn, statement, parameters)

    run = WritingConnection.exec_driver_sql
    engines = [store.reader.sync_engine, store.writer.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        with patch.object(WritingConnection, "exec_driver_sql", run_noted):
            yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def work_of(store: Store, sent: Sequence[Sent]) -> list[int]:
    """Run each statement again, and return the work that it takes."""
    with _meter(store) as measured:
        return [measured(*one) for one in sent]


@contextmanager
def _meter(store: Store) -> Generator[Any]:
    if store.url.get_backend_name() == "sqlite":
        connection = sqlite3.connect(store.url.database or "")
        yield lambda sql, values: _steps(connection, sql, values)
        connection.close()
        return
    address = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as server:
        # The tables are so small that the planner would prefer sequential scans.
        server.execute("SET enable_seqscan = off")
        yield lambda sql, values: _buffers(server, sql, values)
        server.rollback()


def _steps(connection: sqlite3.Connection, sql: str, values: Any) -> int:
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1

    connection.set_progress_handler(step, 1)
    connection.execute(sql, values).fetchall()
    connection.set_progress_handler(None, 0)
    return taken


def _buffers(server: psycopg.Connection, sql: str, values: Any) -> int:
    """The minimum of several runs, since one with cold catalog caches reads the catalog too."""
    explained: Any = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}"
    rows: list[Any] = [server.execute(explained, values).fetchone() for _ in range(RUNS)]
    plans = [row[0][0]["Plan"] for row in rows]
    return min(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)


async def vacuum(store: Store) -> None:
    """Remove dead rows of images and members, so that reads don't depend on earlier writes.

    Runs in a thread: an open transaction of the gateway keeps dead rows, and has to end meanwhile.
    """
    if store.url.get_backend_name() == "postgresql":
        address = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
        await asyncio.to_thread(_vacuum, address)


def _vacuum(address: str) -> None:
    with psycopg.connect(address, autocommit=True) as server:
        for table in TABLES:
            # Otherwise the statistics, and with them the plans, may change while the test measures.
            server.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            server.execute("VACUUM (ANALYZE, FREEZE) image, member")
            if not server.execute(NOT_ALL_VISIBLE, [list(TABLES)]).fetchall():
                return
            # Nothing announces the end of the transaction that keeps the dead rows, so this polls.
            time.sleep(0.01)
    raise AssertionError("A transaction was open for so long that dead rows could not be removed.")
