"""The event log: each change appends an event in its own transaction, numbered at commit."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, Select, delete, func, insert, or_, select, update
from sqlmodel import col

from app.model import Caller, Change, Event, EventHead, LogEntry
from app.store.engines.prepared import Connection, Prepared, slot
from app.store.engines.transaction import Transaction
from app.store.rights import VIEWER

COMPACTED_AT_ONCE = 2_000


class LogHead(NamedTuple):
    """Where the log stands: the number of its newest event, and of the newest that is no longer kept."""

    seq: int
    floor: int
    epoch: str
    key: bytes


class LogPage(NamedTuple):
    """Some events, and where the log stood in the same view of the store."""

    head: LogHead
    changes: list[Change]


async def append(tx: Transaction, entries: Sequence[LogEntry]) -> None:
    """Append entries to the log, to be committed with the transaction."""
    if entries:
        await _APPEND.run_for_each(tx.conn, [{"occurred_at": tx.now, **entry._asdict()} for entry in entries])
        tx.has_log_entries = True


async def head(conn: Connection) -> LogHead:
    """Where the log stands, in the snapshot of the connection's transaction."""
    return LogHead._make((await _HEAD.rows(conn))[0])


async def read_after(conn: Connection, seq: int, limit: int) -> LogPage:
    """The next events of the whole log, for the tailer."""
    return LogPage(await head(conn), await _changes(conn, _ALL, seq=seq, limit=limit))


async def read_concerning(conn: Connection, viewer: Caller, seq: int, limit: int) -> LogPage:
    """The next events that the viewer may hear of, for a watcher that has fallen behind the tailer's ring."""
    statement = _ALL if viewer.is_operator else _CONCERNING
    return LogPage(await head(conn), await _changes(conn, statement, seq=seq, limit=limit, viewer=viewer.tenant_id))


async def compact(tx: Transaction, before: datetime, keep: int) -> int:
    """Drop some events from before that time, but never the newest `keep`. Returns how many.

    The floor moves in the same transaction, so a reader sees both or neither.
    """
    # The head is read first: an event that is committed between the two reads is newer, and stays.
    now = await head(tx.conn)
    first_kept = await tx.conn.scalar(select(func.min(col(Event.seq))).where(col(Event.occurred_at) >= before))
    oldest_allowed = now.seq if first_kept is None else first_kept - 1
    floor = min(oldest_allowed, now.seq - keep, now.floor + COMPACTED_AT_ONCE)
    if floor <= now.floor:
        return 0
    await tx.conn.execute(delete(Event).where(col(Event.seq) <= floor))
    await tx.conn.execute(update(EventHead).values(floor=floor).where(col(EventHead.floor) < floor))
    return floor - now.floor


async def rotate_epoch(tx: Transaction) -> None:
    """Begin a new epoch: every cursor from before is known to be of another log, as after a restored backup."""
    await tx.conn.execute(update(EventHead).values(epoch=secrets.token_hex(8)))


async def _changes(conn: Connection, statement: Prepared, **values: Any) -> list[Change]:
    return [Change(row[0], row[1], LogEntry._make(row[2:])) for row in await statement.rows(conn, **values)]


def _after() -> Select[Any]:
    columns: list[Any] = [col(getattr(Event, name)) for name in ("seq", "occurred_at", *LogEntry._fields)]
    statement: Any = select(*columns)
    limit: Any = slot("limit", Integer())
    return statement.where(col(Event.seq) > slot("seq")).order_by(col(Event.seq)).limit(limit)


_APPENDED = ("occurred_at", *LogEntry._fields)
# Without `inline`, SQLAlchemy would fetch the number of each new row from PostgreSQL.
_APPEND = Prepared(insert(Event).values({name: slot(name) for name in _APPENDED}).inline())
_HEAD = Prepared(select(*(col(getattr(EventHead, name)) for name in LogHead._fields)))
_ALL = Prepared(_after())
_CONCERNING = Prepared(_after().where(or_(col(Event.owner_id) == VIEWER, col(Event.tenant_id) == VIEWER)))
