"""A tenant that leaves: its images are deleted, its memberships end, and all whom it concerns are told by the log.

Each image and each membership goes in a transaction of its own, so nobody waits for long, and a removal that was cut
short is taken up by the next one. The actor of the events is the tenant itself, whose own act it is to leave.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from app.model import Caller, ChangeKind, Role, SeenImage
from app.sharing import log_entries
from app.store import images, log, members, tenant_holdings
from app.store.database import Store
from app.store.engines.transaction import Transaction
from app.store.snapshot import read_once
from app.store.tenant_holdings import Holdings

AT_ONCE = 100
# What comes in while it is removed is removed too; a tenant that goes on making more than that has not left.
ROUNDS = 1_000


async def held(store: Store, tenant_id: str) -> Holdings:
    """What there is of the tenant."""
    return await read_once(store, tenant_holdings.count, tenant_id)


async def remove(store: Store, tenant_id: str) -> Holdings:
    """Remove all of it; what is left afterwards, because the tenant is still at work or only time removes it."""
    # It deletes like the owner, and sees the images of others, where it is a member, like an operator.
    leaver = Caller(tenant_id, frozenset({Role.OPERATOR}), datetime.now(UTC))
    for _ in range(ROUNDS):
        owned = await read_once(store, tenant_holdings.some_images, tenant_id, AT_ONCE)
        joined = await read_once(store, tenant_holdings.some_joined, tenant_id, AT_ONCE)
        for image_id in owned:
            await store.act(_action(leaver, image_id, _delete))
        for image_id in joined:
            await store.act(_action(leaver, image_id, _end_membership))
        if not owned and not joined:
            break
    await store.act(lambda tx: tenant_holdings.forget_records(tx, tenant_id))
    return await held(store, tenant_id)


Step = Callable[[Transaction, Caller, SeenImage], Awaitable[None]]


def _action(leaver: Caller, image_id: str, step: Step) -> Callable[[Transaction], Awaitable[None]]:
    async def act(tx: Transaction) -> None:
        if await images.lock(tx.conn, leaver, image_id):
            image = await images.find_one(tx.conn, leaver, image_id)
            tx.now = tx.clock()
            if image is not None:  # somebody else has deleted it meanwhile
                await step(tx, leaver, image)

    return act


async def _delete(tx: Transaction, leaver: Caller, image: SeenImage) -> None:
    """As the owner deletes it, also one that is protected."""
    ended = [(row, row.status, None) for row in await members.all_of(tx.conn, image.id)]
    await members.remove_all_of(tx.conn, image.id)
    await images.remove(tx.conn, image.id)
    told = log_entries.of_members(ChangeKind.IMAGE_DELETED, leaver, image, ended)
    await log.append(tx, told + log_entries.of_deletion(leaver, image))


async def _end_membership(tx: Transaction, leaver: Caller, image: SeenImage) -> None:
    rows = await members.of_tenants(tx.conn, leaver, image.id, [leaver.tenant_id])
    for row in rows.values():
        await members.remove(tx.conn, row.id)
        await log.append(tx, log_entries.of_members(ChangeKind.REVOKED, leaver, image, [(row, row.status, None)]))
