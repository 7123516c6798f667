"""Runs an action of sharing, once for each idempotency key, on an image that it has locked."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app.errors import Conflict, Refusal
from app.model import Caller, ChangeKind, SeenImage
from app.sharing import formats, log_entries, outcome, rules
from app.sharing.ledger import Ledger, UpstreamActions
from app.sharing.outcome import Outcome, Request
from app.sharing.problems import Mistakes
from app.store import images, log, members
from app.store.engines.transaction import Transaction

Action = Callable[[Transaction], Awaitable[Outcome]]


async def carry_out(
    ledger: Ledger,
    caller: Caller,
    request: Request,
    act: Action,
    mistakes: Mistakes | None,
    run_upstream: Callable[[UpstreamActions], Awaitable[Outcome]],
    refused: Callable[[Refusal], Outcome] = lambda refusal: Outcome(refusals=(refusal,)),
) -> Outcome:
    """Run the action in one transaction, or `run_upstream` if an upstream keeps the images.

    A request whose idempotency key is recorded is not carried out again.
    """
    mistakes = mistakes or Mistakes()
    mistakes.check(formats.key, request.idempotency_key)
    mistakes.require_none()
    if ledger.upstream is not None:
        return await run_upstream(ledger.upstream)

    async def once(tx: Transaction) -> Outcome:
        if (recorded := await outcome.earlier(tx, caller, request)) is not None:
            return recorded
        try:
            result = await act(tx)
        except Refusal as refusal:
            result = refused(refusal)
        await outcome.remember(tx, caller, request, result)
        return result

    return await ledger.store.act(once)


async def remove_with_members(tx: Transaction, caller: Caller, image: SeenImage) -> None:
    """Delete an image and its members, with a log entry for each of them."""
    steps = [(row, row.status, None) for row in await members.all_of(tx.conn, image.id)]
    await members.remove_all_of(tx.conn, image.id)
    await images.remove(tx.conn, image.id)
    entries = log_entries.of_members(ChangeKind.IMAGE_DELETED, caller, image, steps)
    await log.append(tx, entries + log_entries.of_deletion(caller, image))


async def claim_external_id(tx: Transaction, owner_id: str | None, values: Mapping[str, Any]) -> None:
    """Raise Conflict if `values` have an external ID that another image of the owner has."""
    external_id = values.get("external_id")
    if external_id is not None and not await images.claim_external_id(tx.conn, owner_id or "", external_id):
        raise Conflict("Another image of the owner has this external ID.", ("input", "externalId"))


async def lock_and_read(tx: Transaction, caller: Caller, image_id: str, argument: str = "imageId") -> SeenImage:
    """The image, locked until the transaction ends."""
    image = None
    # Only an image that the caller may see is locked: waiting for another lock would reveal that the image exists.
    if formats.uuid(image_id) and await images.lock(tx.conn, caller, image_id):
        image = await images.find_one(tx.conn, caller, image_id)
        tx.now = tx.clock()
    return rules.require_seen(image, argument)
