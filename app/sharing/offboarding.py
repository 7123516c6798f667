"""Removes a tenant: deletes its images and ends its memberships, with the usual events for the other parties.

Each image and each membership is removed in a transaction of its own, so nobody waits for long, and a removal that was
interrupted can be repeated. The actor of the events is the tenant itself.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from app.model import Caller, ChangeKind, Role, SeenImage
from app.sharing import log_entries
from app.sharing.action import remove_with_members
from app.store import images, log, members, tenant_holdings
from app.store.database import Store
from app.store.engines.transaction import Transaction
from app.store.snapshot import read_once
from app.store.tenant_holdings import Holdings

AT_ONCE = 100
# Images and offers that arrive during the removal are removed too, unless the tenant is plainly still active.
ROUNDS = 1_000


async def count_holdings(store: Store, tenant_id: str) -> Holdings:
    """Count what the store holds of the tenant."""
    return await read_once(store, tenant_holdings.count, tenant_id)


async def remove(store: Store, tenant_id: str) -> Holdings:
    """Remove everything, and return what is left: new rows of an active tenant, or rows that only expire."""
    # Deletes as the owner, and sees the images of others that it is a member of as an operator.
    leaver = Caller(tenant_id, frozenset({Role.OPERATOR}), datetime.now(UTC))
    for _ in range(ROUNDS):
        owned = await read_once(store, tenant_holdings.some_images, tenant_id, AT_ONCE)
        joined = await read_once(store, tenant_holdings.some_member_images, tenant_id, AT_ONCE)
        for image_id in owned:
            await store.act(_action(leaver, image_id, remove_with_members))
        for image_id in joined:
            await store.act(_action(leaver, image_id, _end_membership))
        if not owned and not joined:
            break
    await store.act(lambda tx: tenant_holdings.forget_records(tx, tenant_id))
    return await count_holdings(store, tenant_id)


Step = Callable[[Transaction, Caller, SeenImage], Awaitable[None]]


def _action(leaver: Caller, image_id: str, step: Step) -> Callable[[Transaction], Awaitable[None]]:
    async def act(tx: Transaction) -> None:
        if await images.lock(tx.conn, leaver, image_id):
            image = await images.find_one(tx.conn, leaver, image_id)
            tx.now = tx.clock()
            if image is not None:  # else it was deleted meanwhile
                await step(tx, leaver, image)

    return act


async def _end_membership(tx: Transaction, leaver: Caller, image: SeenImage) -> None:
    rows = await members.of_tenants(tx.conn, leaver, image.id, [leaver.tenant_id])
    for row in rows.values():
        await members.remove(tx.conn, row.id)
        await log.append(tx, log_entries.of_members(ChangeKind.REVOKED, leaver, image, [(row, row.status, None)]))
