"""Everything that the store holds of one tenant, for the operator who removes it; read without a viewer's rights."""

from typing import Any, NamedTuple

from sqlalchemy import delete, func, or_, select
from sqlmodel import col

from app.model import Event, RecordedOutcome
from app.store.engines.prepared import Connection
from app.store.engines.transaction import Transaction
from app.store.rights import IMAGE, MEMBER


class Holdings(NamedTuple):
    """The rows of each kind that the store holds of a tenant.

    `offered` are members of its images, `memberships` its own rows on the images of others, `records` the outcomes
    that its idempotency keys stand for, and `events` the rows of the log that name it.
    """

    images: int
    offered: int
    memberships: int
    records: int
    events: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left but what only time removes."""
        return not (self.images or self.memberships or self.records)


async def count(conn: Connection, tenant_id: str) -> Holdings:
    owned = select(IMAGE.c.id).where(IMAGE.c.owner_id == tenant_id)
    names_it = (col(Event.owner_id), col(Event.tenant_id), col(Event.actor_id))
    counted: list[Any] = [
        select(func.count()).select_from(IMAGE).where(IMAGE.c.owner_id == tenant_id),
        select(func.count()).select_from(MEMBER).where(MEMBER.c.image_id.in_(owned)),
        select(func.count()).select_from(MEMBER).where(MEMBER.c.tenant_id == tenant_id),
        select(func.count()).select_from(RecordedOutcome).where(col(RecordedOutcome.tenant_id) == tenant_id),
        select(func.count()).select_from(Event).where(or_(*(name == tenant_id for name in names_it))),
    ]
    return Holdings(*[await conn.scalar(statement) for statement in counted])


async def some_images(conn: Connection, tenant_id: str, at_most: int) -> list[str]:
    """IDs of images that it owns."""
    found = await conn.execute(select(IMAGE.c.id).where(IMAGE.c.owner_id == tenant_id).limit(at_most))
    return [row[0] for row in found]


async def some_member_images(conn: Connection, tenant_id: str, at_most: int) -> list[str]:
    """IDs of images that it is a member of, whatever the status."""
    found = await conn.execute(select(MEMBER.c.image_id).where(MEMBER.c.tenant_id == tenant_id).limit(at_most))
    return [row[0] for row in found]


async def forget_records(tx: Transaction, tenant_id: str) -> None:
    """Forget the tenant's idempotency keys: a retry with one of them becomes a new request."""
    await tx.conn.execute(delete(RecordedOutcome).where(col(RecordedOutcome.tenant_id) == tenant_id))
