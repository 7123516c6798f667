"""Recorded outcomes of mutations that carried an idempotency key, kept for 24 hours."""

from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, func, insert, select, tuple_
from sqlmodel import col

from app.model import RecordedOutcome
from app.store.engines.transaction import Transaction

KEPT_FOR = timedelta(hours=24)
SWEPT_AT_ONCE = 500


class Recorded(NamedTuple):
    input_hash: str
    outcome: dict[str, Any]


async def recall(tx: Transaction, tenant_id: str, key: str) -> Recorded | None:
    """The outcome of the tenant's earlier call with this key. An expired one is deleted."""
    await _take_turns(tx, tenant_id, key)
    own = col(RecordedOutcome.tenant_id) == tenant_id, col(RecordedOutcome.idempotency_key) == key
    await tx.conn.execute(delete(RecordedOutcome).where(*own, col(RecordedOutcome.recorded_at) < tx.now - KEPT_FOR))
    statement = select(col(RecordedOutcome.input_hash), col(RecordedOutcome.outcome))
    row = (await tx.conn.execute(statement.where(*own))).one_or_none()
    return None if row is None else Recorded._make(row)


async def sweep(tx: Transaction) -> None:
    """Delete some expired records, skipping those that a call has locked."""
    expired = select(col(RecordedOutcome.tenant_id), col(RecordedOutcome.idempotency_key)).where(
        col(RecordedOutcome.recorded_at) < tx.now - KEPT_FOR
    )
    some = (await tx.conn.execute(expired.limit(SWEPT_AT_ONCE).with_for_update(skip_locked=True))).all()
    if some:
        key = tuple_(col(RecordedOutcome.tenant_id), col(RecordedOutcome.idempotency_key))
        await tx.conn.execute(delete(RecordedOutcome).where(key.in_([tuple(row) for row in some])))


async def _take_turns(tx: Transaction, tenant_id: str, key: str) -> None:
    """Let a retry that overtakes the first call wait for it. SQLite has let in one writer only."""
    if tx.conn.dialect.name != "sqlite":
        number = func.hashtextextended(f"{tenant_id} {key}", 0)
        await tx.conn.execute(select(func.pg_advisory_xact_lock(number)))


async def record(tx: Transaction, tenant_id: str, key: str, input_hash: str, outcome: dict[str, Any]) -> None:
    values = {
        "tenant_id": tenant_id,
        "idempotency_key": key,
        "input_hash": input_hash,
        "outcome": outcome,
        "recorded_at": tx.now,
    }
    await tx.conn.execute(insert(RecordedOutcome).values(values))


async def drop(tx: Transaction, tenant_id: str, key: str) -> None:
    """Forget what was recorded for this key, so that something else can be."""
    own = col(RecordedOutcome.tenant_id) == tenant_id, col(RecordedOutcome.idempotency_key) == key
    await tx.conn.execute(delete(RecordedOutcome).where(*own))
