"""Keeps the whole log: a trigger archives the rows that retention drops."""

import asyncio
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel, col

from app.model import Change, LogEntry, Member
from app.store import log
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.store.snapshot import read_once
from tests.harness.event_log import changes_after

_ARCHIVE = SQLModel.metadata.tables["event"].to_metadata(MetaData(), name="archive")
_OLD = ", ".join(f"OLD.{column.name}" for column in _ARCHIVE.columns)
_NAMES = ", ".join(column.name for column in _ARCHIVE.columns)
_TABLE = f"CREATE TABLE archive AS SELECT {_NAMES} FROM event WHERE 1 = 0"
_ON_SQLITE = [
    _TABLE,
    f"CREATE TRIGGER archive_event AFTER DELETE ON event BEGIN INSERT INTO archive VALUES ({_OLD}); END",
]
_ON_POSTGRES = [
    _TABLE,
    f"""CREATE FUNCTION archive_event() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO archive VALUES ({_OLD}); RETURN OLD; END $$""",
    "CREATE TRIGGER archive_event AFTER DELETE ON event FOR EACH ROW EXECUTE FUNCTION archive_event()",
]


class Floor(NamedTuple):
    at: float
    floor: int


@dataclass
class Archive:
    """Reads the store over a connection without faults."""

    url: str
    floors: list[Floor] = field(default_factory=list[Floor])

    def __post_init__(self) -> None:
        self._store = Store(parse_url(self.url))

    async def begin(self) -> None:
        """Start to archive the rows that the log drops."""
        async with self._store.transaction() as tx:
            for statement in _ON_SQLITE if self.url.startswith("sqlite") else _ON_POSTGRES:
                await tx.conn.exec_driver_sql(statement)

    async def follow(self, ended: asyncio.Event) -> None:
        """Record the floor of the log, repeatedly."""
        while not ended.is_set():
            with suppress(Exception):  # the database may be unavailable
                self.floors.append(Floor(monotonic(), (await self.head()).floor))
            # Compaction sends no notification, and a reset is checked against the next recorded floor.
            await asyncio.sleep(0.1)

    async def head(self) -> log.LogHead:
        return await read_once(self._store, log.head)

    def floor_at(self, moment: float) -> int:
        """The first floor recorded after a moment. It never falls."""
        place = bisect_left(self.floors, Floor(moment, -1))
        return self.floors[min(place, len(self.floors) - 1)].floor

    async def rotate_epoch(self) -> None:
        async with self._store.transaction() as tx:
            await log.rotate_epoch(tx)

    async def whole_log(self) -> list[Change]:
        """The whole log, including dropped rows."""
        dropped = await read_once(self._store, _archived_changes)
        return dropped + await changes_after(self._store, dropped[-1].seq if dropped else 0)

    async def members(self) -> dict[str, Any]:
        """The status of each member in the table."""
        return await read_once(self._store, _members)

    async def close(self) -> None:
        await self._store.close()


async def _archived_changes(conn: AsyncConnection) -> list[Change]:
    columns = [_ARCHIVE.columns[name] for name in ("seq", "occurred_at", *LogEntry._fields)]
    rows: Any = await conn.execute(select(*columns).order_by(_ARCHIVE.columns["seq"]))
    return [Change(row[0], row[1], LogEntry._make(row[2:])) for row in rows]


async def _members(conn: AsyncConnection) -> dict[str, Any]:
    rows = await conn.execute(select(col(Member.id), col(Member.status)))
    return {row[0]: row[1] for row in rows}
