"""All images and members, or those of one tenant, read without a viewer's rights for an export."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.model import SeenImage, SeenMember
from app.store.database import Store
from app.store.rights import IMAGE, MEMBER

Seen = TypeVar("Seen")
_AT_ONCE = 1_000
# Whoever reads the export may pause for longer than a transaction may be idle.
_NO_IDLE_LIMIT = text("SET LOCAL idle_in_transaction_session_timeout = 0")


async def read_all(store: Store, tenant_id: str | None = None) -> AsyncIterator[SeenImage | SeenMember]:
    """Every image in the order of their IDs, each followed by its members, in one snapshot.

    With a tenant ID: the images of that tenant with all their members, then its memberships of other tenants' images.
    """
    owned = () if tenant_id is None else (IMAGE.c.owner_id == tenant_id,)
    async with store.reader.connect() as conn:
        if conn.dialect.name == "postgresql":
            await conn.execute(_NO_IDLE_LIMIT)
        members = _stream(conn, _members().where(*owned), SeenMember.from_values)
        member = await anext(members, None)
        async for image in _stream(conn, select(*IMAGE.c).where(*owned).order_by(IMAGE.c.id), SeenImage.from_values):
            yield image
            while member is not None and member.image_id == image.id:
                yield member
                member = await anext(members, None)
        if tenant_id is not None:
            elsewhere = _members().where(MEMBER.c.tenant_id == tenant_id, IMAGE.c.owner_id != tenant_id)
            async for member in _stream(conn, elsewhere, SeenMember.from_values):
                yield member


def _members() -> Select[Any]:
    statement: Any = select(*MEMBER.c).join(IMAGE, IMAGE.c.id == MEMBER.c.image_id)
    return statement.order_by(MEMBER.c.image_id, MEMBER.c.created_at, MEMBER.c.id)


async def _stream(
    conn: AsyncConnection, statement: Select[Any], make: Callable[[Sequence[Any]], Seen]
) -> AsyncIterator[Seen]:
    async with conn.stream(statement.execution_options(yield_per=_AT_ONCE)) as rows:
        async for some in rows.partitions():
            for row in some:
                yield make(row)
