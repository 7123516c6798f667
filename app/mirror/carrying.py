"""Carrying out a change upstream, once: decide, mark, call, look, and answer what was seen.

Nothing is sent twice. When an answer is lost, the caller is told so; the same idempotency key then tells the outcome.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from app.errors import BadUserInput, Conflict, NotFound, Refusal, Unavailable
from app.mirror.front import Front
from app.mirror.refusals import refusal_of
from app.model import Caller, SeenImage
from app.sharing import formats, rules
from app.sharing.outcome import Outcome, Request, earlier, remember
from app.store import images, mirror, outcomes
from app.store.database import Store
from app.store.engines.transaction import Transaction
from app.upstream.errors import Refused, Unreached, UpstreamError

BEGUN = "begun"
CALLS_AT_ONCE = 8
AWAY = "Glance can't be reached just now, so nothing was changed. Try again in a moment."
LOST = (
    "Glance did not say what has become of this. Send it again with the same idempotencyKey to learn the outcome, or "
    "read it."
)
UNDER_WAY = "The first call with this idempotency key may still be under way. Try again in a moment."
LATE = "Glance did not say what has become of this, and it has not happened. Use a new idempotency key to try again."

ENDED = "This was done, and has been undone by somebody else since."

# What was refused, by what each call was about; None when the answers were lost.
Refusals = Mapping[str, Refusal] | None
Call = Callable[[], Awaitable[Any]]
Conclude = Callable[[Transaction, Mapping[str, Any], Refusals], Awaitable[Outcome]]


@dataclass(frozen=True)
class Intent:
    """What is about to be done: `calls` by what each is about, and `facts` from which its outcome can be told later."""

    image: SeenImage
    calls: Mapping[str, Call]
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Begun:
    """The first call with an idempotency key, whose outcome was not recorded."""

    image_id: str
    at: float
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Errand:
    """One change: who wants it, how it is decided, and how its outcome is read from the mirror afterwards."""

    caller: Caller
    request: Request
    image_id: str
    decide: Callable[[Transaction], Awaitable[Intent]]
    conclude: Conclude
    refused: Callable[[Refusal], Outcome] = lambda refusal: Outcome(refusals=(refusal,))


async def carry_out(front: Front, store: Store, errand: Errand) -> Outcome:
    """Raises Unavailable, or Unauthenticated. It goes on to its end, even when nobody waits for it any more."""
    return await store.unit(_carry_out(front, store, errand), "upstream")


async def _carry_out(front: Front, store: Store, errand: Errand) -> Outcome:
    decided = await _decide(front, store, errand)
    if isinstance(decided, Outcome):
        return decided
    if isinstance(decided, Begun):
        return await _tell_later(front, store, errand, decided)
    results = await _call_each(decided.calls)
    await _require_answers(front, store, errand, decided, results)
    await _look(front, decided.image.id)
    refusals = {about: refusal_of(one) for about, one in results.items() if isinstance(one, Refused)}
    return await _conclude(store, errand, decided.facts, refusals)


async def _call_each(calls: Mapping[str, Call]) -> dict[str, UpstreamError | None]:
    """Make the calls, a bounded number at a time, each once; what each has raised."""
    turn = asyncio.Semaphore(CALLS_AT_ONCE)

    async def result(call: Call) -> UpstreamError | None:
        async with turn:
            try:
                await call()
            except UpstreamError as error:
                return error
            return None

    return dict(zip(calls, await asyncio.gather(*map(result, calls.values())), strict=True))


async def _decide(front: Front, store: Store, errand: Errand) -> Outcome | Intent | Begun:
    """What the rules say; before they refuse, the mirror is brought up to date and they are asked once more."""
    decided = await store.act(lambda tx: _decided(tx, errand))
    if not isinstance(decided, Refusal):
        return decided
    if await _may_be_stale(front, errand, decided):
        await _look(front, errand.image_id)
        decided = await store.act(lambda tx: _decided(tx, errand))
    return await _refuse(store, errand, decided) if isinstance(decided, Refusal) else decided


async def _decided(tx: Transaction, errand: Errand) -> Outcome | Intent | Begun | Refusal:
    caller, request = errand.caller, errand.request
    if (before := await _earlier(tx, caller, request)) is not None:
        return before
    try:
        intent = await errand.decide(tx)
    except Refusal as refusal:
        return refusal
    await mirror.mark(tx, [intent.image.id])
    if request.idempotency_key is not None:
        begun = {BEGUN: tx.now.timestamp(), "image": intent.image.id, "facts": dict(intent.facts)}
        await outcomes.record(tx, caller.tenant_id, request.idempotency_key, request.input_hash, begun)
    return intent


async def _earlier(tx: Transaction, caller: Caller, request: Request) -> Outcome | Begun | None:
    if request.idempotency_key is None:
        return None
    recorded = await outcomes.recall(tx, caller.tenant_id, request.idempotency_key)
    if recorded is None or BEGUN not in recorded.outcome or recorded.input_hash != request.input_hash:
        return await earlier(tx, caller, request)
    return Begun(recorded.outcome["image"], recorded.outcome[BEGUN], recorded.outcome["facts"])


async def _may_be_stale(front: Front, errand: Errand, refusal: Refusal) -> bool:
    """Whether a look could change the refusal. Of what the caller can't see upstream either, nothing is looked at."""
    if not isinstance(refusal, NotFound):
        return not isinstance(refusal, BadUserInput)
    try:
        return await front.images.shows(token_of(errand.caller), errand.image_id)
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
        await _withdraw(store, errand)
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
    if store.clock().timestamp() < begun.at + front.seconds:
        raise Unavailable(UNDER_WAY)
    await _look(front, begun.image_id)
    return await _conclude(store, errand, begun.facts, None)


async def _look(front: Front, image_id: str) -> None:
    try:
        await front.mirror.look(image_id)
    except UpstreamError:
        raise Unavailable(LOST) from None


async def _conclude(store: Store, errand: Errand, facts: Mapping[str, Any], refusals: Refusals) -> Outcome:
    async def act(tx: Transaction) -> Outcome:
        try:
            outcome = await errand.conclude(tx, facts, refusals)
        except Refusal as refusal:  # what it was about has ended meanwhile
            outcome = errand.refused(refusal)
        return await _record(tx, errand, outcome)

    return await store.act(act)


async def _refuse(store: Store, errand: Errand, refusal: Refusal) -> Outcome:
    async def act(tx: Transaction) -> Outcome:
        return await _record(tx, errand, errand.refused(refusal))

    return await store.act(act)


async def _record(tx: Transaction, errand: Errand, outcome: Outcome) -> Outcome:
    key = errand.request.idempotency_key
    if key is not None:
        await outcomes.recall(tx, errand.caller.tenant_id, key)  # takes turns with a retry
        await outcomes.drop(tx, errand.caller.tenant_id, key)
        await remember(tx, errand.caller, errand.request, outcome)
    return outcome


async def _withdraw(store: Store, errand: Errand) -> None:
    """Nothing was sent, so the key is as if it had not been used."""
    key = errand.request.idempotency_key

    async def act(tx: Transaction) -> None:
        if key is not None:
            await outcomes.drop(tx, errand.caller.tenant_id, key)

    await store.act(act)


async def visible_image(tx: Transaction, caller: Caller, image_id: str, argument: str = "imageId") -> SeenImage:
    """The image as the mirror shows it to the caller. Raises NotFound."""
    image = await images.find_one(tx.conn, caller, image_id) if formats.uuid(image_id) else None
    return rules.seen(image, argument)


def not_seen(refusals: Refusals) -> Conflict:
    """Why what should have been done is not there."""
    return Conflict(LATE if refusals is None else ENDED)


def token_of(caller: Caller) -> str:
    assert caller.token is not None, "in front of a cloud every caller has come with a token"
    return caller.token
