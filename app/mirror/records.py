"""The record of a change under its idempotency key, while it is under way and when it is over."""

from app.mirror.errand import Begun, Intent
from app.model import Caller
from app.sharing.outcome import Outcome, Request, earlier, remember
from app.store import outcomes
from app.store.engines.transaction import Transaction

BEGUN = "begun"


async def before(tx: Transaction, caller: Caller, request: Request) -> Outcome | Begun | None:
    """The outcome of an earlier call with this key, or that it is unknown."""
    if request.idempotency_key is None:
        return None
    recorded = await outcomes.recall(tx, caller.tenant_id, request.idempotency_key)
    if recorded is None or BEGUN not in recorded.outcome or recorded.input_hash != request.input_hash:
        return await earlier(tx, caller, request)
    return Begun(recorded.outcome["image"], recorded.outcome[BEGUN], recorded.outcome["facts"])


async def begin(tx: Transaction, caller: Caller, request: Request, intent: Intent) -> None:
    """Record, before the call, the facts that show its outcome if its answer is lost."""
    if request.idempotency_key is not None:
        facts = {BEGUN: tx.now.timestamp(), "image": intent.image.id, "facts": dict(intent.facts)}
        await outcomes.record(tx, caller.tenant_id, request.idempotency_key, request.input_hash, facts)


async def conclude(tx: Transaction, caller: Caller, request: Request, outcome: Outcome) -> Outcome:
    """Record the outcome."""
    if request.idempotency_key is not None:
        await outcomes.recall(tx, caller.tenant_id, request.idempotency_key)  # takes turns with a retry
        await outcomes.drop(tx, caller.tenant_id, request.idempotency_key)
        await remember(tx, caller, request, outcome)
    return outcome


async def withdraw(tx: Transaction, caller: Caller, request: Request) -> None:
    """Nothing was sent, so the key is as if it had not been used."""
    if request.idempotency_key is not None:
        await outcomes.drop(tx, caller.tenant_id, request.idempotency_key)
