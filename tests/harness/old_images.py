"""Inserts images with 51 KB of tags, as stored before the total size of tags was limited."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, DateTime, bindparam, create_engine, make_url, text

TAGS = [f"{number:02}" + "\N{PILE OF POO}" * 253 for number in range(50)]
_INSERT = (
    "INSERT INTO image (id, owner_id, name, origin, source_url, status, visibility, min_disk_gb, min_ram_mb, tags,"
    " protected, hidden, created_at, updated_at) VALUES (:id, :owner, 'old', 'IMPORT', 'https://example.org/i',"
    " 'ACTIVE', 'SHARED', 0, 0, {}, false, false, :now, :now)"
)


@contextmanager
def open_transaction(url: str) -> Generator[Connection]:
    """A transaction on the database, past the gateway."""
    parts = make_url(url)
    engine = create_engine(parts.set(drivername=parts.drivername.replace("aiosqlite", "pysqlite")))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def insert_images(connection: Connection, owner: str, count: int, tags: str | None = None) -> list[str]:
    """Insert images of the owner and return their IDs."""
    on_sqlite = connection.dialect.name == "sqlite"
    ids = [str(uuid4()) for _ in range(count)]
    tags_json = json.dumps(TAGS, ensure_ascii=False, separators=(",", ":")) if tags is None else tags
    statement = text(_INSERT.format(":tags" if on_sqlite else "CAST(:tags AS JSON)"))
    if not on_sqlite:
        statement = statement.bindparams(bindparam("now", type_=DateTime(timezone=True)))
    started_at = datetime.now(UTC)
    rows = [
        _row(id, owner, tags_json, started_at + timedelta(seconds=place), on_sqlite) for place, id in enumerate(ids)
    ]
    connection.execute(statement, rows)
    return ids


def _row(id: str, owner: str, tags: str, now: datetime, on_sqlite: bool) -> dict[str, Any]:
    stored = now.isoformat(timespec="microseconds")[:-6] + "Z" if on_sqlite else now
    return {"id": id, "owner": owner, "tags": tags, "now": stored}
