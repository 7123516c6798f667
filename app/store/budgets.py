"""The budgets that the workers on one PostgreSQL share. The clock is the database's, so that theirs need not agree."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import text

from app.store.engines.transaction import Transaction

SETTLED_AT_ONCE = 1_000
SWEPT_AT_ONCE = 5_000


class Kind(NamedTuple):
    """A kind of callers, the rate at which their budgets fill, and how far."""

    name: str
    rate: int
    brim: int


# In the order of the keys, so that two workers never wait for each other in a circle.
_SETTLE = text("""
INSERT INTO budget AS shared (kind, who, level, settled_at)
SELECT :kind, who, :brim - spent, clock_timestamp()
FROM unnest(CAST(:callers AS varchar[]), CAST(:spent AS double precision[])) AS new (who, spent)
ORDER BY who COLLATE "C"
ON CONFLICT (kind, who) DO UPDATE SET settled_at = excluded.settled_at, level = excluded.level - :brim + least(
    :brim, shared.level + :rate * extract(epoch FROM greatest(excluded.settled_at - shared.settled_at, interval '0'))
)
RETURNING who, level
""")
# Whoever is not there has a full budget.
_SWEEP = text("""
DELETE FROM budget WHERE (kind, who) IN (
    SELECT kind, who FROM budget
    WHERE kind = :kind AND level + :rate * extract(epoch FROM clock_timestamp() - settled_at) >= :brim
    LIMIT :most FOR UPDATE SKIP LOCKED
)
""")


async def settle(tx: Transaction, kind: Kind, spent: Mapping[str, float]) -> dict[str, float]:
    """Take what was spent from the shared budgets; what is left in each of them, by all that is known."""
    values = {**kind._asdict(), "callers": list(spent), "spent": list(spent.values())}
    values["kind"] = values.pop("name")
    return {row.who: row.level for row in await tx.conn.execute(_SETTLE, values)}


async def sweep(tx: Transaction, kind: Kind) -> None:
    """Drop budgets that are full again."""
    values = {"kind": kind.name, "rate": kind.rate, "brim": kind.brim, "most": SWEPT_AT_ONCE}
    await tx.conn.execute(_SWEEP, values)
