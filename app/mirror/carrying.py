"""Carrying out a change upstream, once: decide, mark, call, look, and answer what was seen.

Nothing is sent twice. When an answer is lost, the caller gets UNAVAILABLE, and the outcome by the same idempotency key.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from app.errors import BadUserInput, NotFound, Refusal, Unavailable
from app.mirror import records
from app.mirror.errand import Begun, Call, Errand, Intent, Refusals, Repair, token_of
from app.mirror.front import Front
from app.mirror.refusals import refusal_of
from app.sharing import formats
from app.sharing.outcome import Outcome
from app.store import mirror
from app.store.database import Store
from app.store.engines.transaction import Transaction
from app.upstream.errors import Refused, Unreached, UpstreamError

CALLS_AT_ONCE = 8
AWAY = "Glance can't be reached just now, so nothing was changed. Try again in a moment."
LOST = (
    "Glance did not say what has become of this. Send it again with the same idempotencyKey to learn the outcome, or "
    "read it."
)
UNDER_WAY = "The first call with this idempotency key may still be under way. Try again in a moment."


async def carry_out(front: Front, store: Store, errand: Errand) -> Outcome:
    """Raises Unavailable, or Unauthenticated. It goes on to its end, even when nobody waits for it any more."""
    return await store.unit(_carry_out(front, store, errand), "upstream")


async def _carry_out(front: Front, store: Store, errand: Errand) -> Outcome:
    decided = await _decide(front, store, errand)
    if isinstance(decided, Outcome):
        return decided
    if isinstance(decided, Begun):
        return await _tell_later(front, store, errand, decided)
    results = await _call_each(decided.calls, front.seconds)
    await _require_answers(front, store, errand, decided, results)
    await _look(front, decided.image.id)
    if errand.repair is not None and not any(results.values()):
        await _repair(front, store, errand.repair, decided)
    refusals = {about: refusal_of(one) for about, one in results.items() if isinstance(one, Refused)}
    return await _conclude(store, errand, decided.facts, refusals)


async def _call_each(calls: Mapping[str, Call], seconds: float) -> dict[str, UpstreamError | None]:
    """Make the calls, each once and a bounded number at a time. Returns the error of each.

    No call begins after so many seconds: whoever retries may rely on all of them having ended after twice that time.
    """
    turn, clock = asyncio.Semaphore(CALLS_AT_ONCE), asyncio.get_running_loop().time
    latest_start = clock() + seconds

    async def result(call: Call) -> UpstreamError | None:
        async with turn:
            if clock() > latest_start:
                return Unreached("its turn came too late, so it was not sent")
            try:
                await call()
            except UpstreamError as error:
                return error
            return None

    return dict(zip(calls, await asyncio.gather(*map(result, calls.values())), strict=True))


async def _repair(front: Front, store: Store, repair: Repair, intent: Intent) -> None:
    """Complete what Glance has confirmed but not done, with a call of its own."""
    call = await store.act(lambda tx: repair(tx, intent.facts))
    if call is None:
        return
    [error] = (await _call_each({"repair": call}, front.seconds)).values()
    if error is not None and not _is_refusal(error):
        raise Unavailable(LOST)
    await _look(front, intent.image.id)


async def _decide(front: Front, store: Store, errand: Errand) -> Outcome | Intent | Begun:
    """Apply the rules. Before a refusal, bring the mirror up to date and apply them again."""
    decided = await store.act(lambda tx: _decided(tx, errand))
    if not isinstance(decided, Refusal):
        return decided
    if await _may_be_stale(front, errand, decided):
        await _look(front, errand.image_id, AWAY)
        decided = await store.act(lambda tx: _decided(tx, errand))
    return await _refuse(store, errand, decided) if isinstance(decided, Refusal) else decided


async def _decided(tx: Transaction, errand: Errand) -> Outcome | Intent | Begun | Refusal:
    caller, request = errand.caller, errand.request
    if (before := await records.before(tx, caller, request)) is not None:
        return before
    try:
        intent = await errand.decide(tx)
    except Refusal as refusal:
        return refusal
    await mirror.mark(tx, [intent.image.id])
    await records.begin(tx, caller, request, intent)
    return intent


async def _may_be_stale(front: Front, errand: Errand, refusal: Refusal) -> bool:
    """Whether a look could change the refusal. Of what the caller can't see upstream either, nothing is looked at."""
    if not isinstance(refusal, NotFound):
        return not isinstance(refusal, BadUserInput)
    try:
        has_form = formats.uuid(errand.image_id) is not None
        return has_form and await front.images.shows(token_of(errand.caller), errand.image_id)
    except UpstreamError:
        raise Unavailable(AWAY) from None


async def _require_answers(
    front: Front, store: Store, errand: Errand, intent: Intent, results: Mapping[str, UpstreamError | None]
) -> None:
    """Raises Unavailable or Unauthenticated unless each call was carried out or refused."""
    failed = [one for one in results.values() if one is not None and not _is_refusal(one)]
    if not failed:
        return
    is_unsent = len(failed) == len(results) and all(_is_unsent(one) for one in failed)
    if is_unsent:
        await store.act(lambda tx: records.withdraw(tx, errand.caller, errand.request))
    else:
        with suppress(UpstreamError, Unavailable):  # the mark stays, so that it is looked at again
            await front.mirror.look(intent.image.id)
    if any(isinstance(one, Refused) for one in failed):
        await front.authority.caller(token_of(errand.caller))
    raise Unavailable(AWAY if is_unsent else LOST)


def _is_refusal(error: UpstreamError) -> bool:
    """By 401 Glance also says that it could not ask Keystone."""
    return isinstance(error, Refused) and error.status != 401


def _is_unsent(error: UpstreamError) -> bool:
    return isinstance(error, (Unreached, Refused))


async def _tell_later(front: Front, store: Store, errand: Errand, begun: Begun) -> Outcome:
    """The outcome of a call whose answer was lost, once it can't be on its way any more."""
    if store.clock().timestamp() < begun.at + 2 * front.seconds:
        raise Unavailable(UNDER_WAY)
    await _look(front, begun.image_id)
    return await _conclude(store, errand, begun.facts, None)


async def _look(front: Front, image_id: str, problem: str = LOST) -> None:
    try:
        await front.mirror.look(image_id)
    except UpstreamError:
        raise Unavailable(problem) from None


async def _conclude(store: Store, errand: Errand, facts: Mapping[str, Any], refusals: Refusals) -> Outcome:
    async def act(tx: Transaction) -> Outcome:
        try:
            outcome = await errand.conclude(tx, facts, refusals)
        except Refusal as refusal:  # what it was about has ended meanwhile
            outcome = errand.refused(refusal)
        return await records.conclude(tx, errand.caller, errand.request, outcome)

    return await store.act(act)


async def _refuse(store: Store, errand: Errand, refusal: Refusal) -> Outcome:
    async def act(tx: Transaction) -> Outcome:
        return await records.conclude(tx, errand.caller, errand.request, errand.refused(refusal))

    return await store.act(act)
