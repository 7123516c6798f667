"""The log: one event for each change of a membership, in the transaction of the change, numbered as it commits."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from app.model import (
    Caller,
    Change,
    ChangeKind,
    Event,
    EventHead,
    MemberStatus,
    SeenImage,
    SeenMember,
)
from app.store.database import Transaction


class LogHead(NamedTuple):
    """Where the log stands."""

    seq: int
    floor: int
    epoch: str
    key: bytes


async def append(
    tx: Transaction,
    kind: ChangeKind,
    caller: Caller,
    image: SeenImage,
    changes: Sequence[tuple[SeenMember, MemberStatus | None, MemberStatus | None]],
) -> None:
    """Tell of each member's step from one status to the next; None stands for "no row"."""
    events = [
        {
            "occurred_at": tx.now,
            "kind": kind,
            "previous_status": before,
            "status": after,
            "member_id": member.id,
            "image_id": image.id,
            "owner_id": image.owner_id,
            "tenant_id": member.tenant_id,
            "actor_id": caller.tenant_id,
        }
        for member, before, after in changes
    ]
    if events:
        await tx.conn.execute(insert(Event), events)
        tx.has_news = True


async def head(conn: AsyncConnection) -> LogHead:
    """Where the log stands, in the snapshot of the connection's transaction."""
    row = (await conn.execute(select(*(col(getattr(EventHead, name)) for name in LogHead._fields)))).one()
    return LogHead._make(row)


async def read_after(conn: AsyncConnection, seq: int, limit: int) -> list[Change]:
    """The next events of the whole log, for the tailer."""
    return await _changes(conn, _after(seq, limit))


async def read_concerning(conn: AsyncConnection, viewer: Caller, seq: int, limit: int) -> list[Change]:
    """The next events that the viewer may hear of, for a watcher that has fallen behind the tailer's ring."""
    statement = _after(seq, limit)
    if not viewer.is_operator:
        parties = or_(col(Event.owner_id) == viewer.tenant_id, col(Event.tenant_id) == viewer.tenant_id)
        statement = statement.where(parties)
    return await _changes(conn, statement)


def _after(seq: int, limit: int) -> Select[Any]:
    columns: list[Any] = [col(getattr(Event, name)) for name in Change._fields]
    statement: Any = select(*columns)
    return statement.where(col(Event.seq) > seq).order_by(col(Event.seq)).limit(limit)


async def _changes(conn: AsyncConnection, statement: Select[Any]) -> list[Change]:
    return [Change._make(row) for row in await conn.execute(statement)]
