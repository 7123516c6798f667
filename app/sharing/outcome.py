"""The outcome of an action, and its replay for a retry with the same idempotency key."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import BadUserInput, Forbidden, NotFound, Refusal, Unavailable
from app.model import Caller, SeenImage, SeenMember
from app.store import images, members, outcomes
from app.store.engines.transaction import Transaction

_REFUSALS: dict[str, type[Refusal]] = {kind.code: kind for kind in Refusal.__subclasses__()}


@dataclass(frozen=True)
class Outcome:
    """The objects as the caller may see them after the action, and what was refused.

    `image` is the image that the action was about, `members` are the rows that it made, changed or kept,
    `ended_id` is the ID of what it removed, and `standing` are the rows that refusals speak of, by ID.
    """

    image: SeenImage | None = None
    members: tuple[SeenMember, ...] = ()
    ended_id: str | None = None
    refusals: tuple[Refusal, ...] = ()
    standing: Mapping[str, SeenMember] | None = None

    @property
    def is_lack_of_rights(self) -> bool:
        """Whether the whole call was refused for what the caller may see or do, which its next role may."""
        done = self.image or self.members or self.ended_id
        return not done and all(isinstance(refusal, (NotFound, Forbidden)) for refusal in self.refusals)

    def standing_row(self, refusal: Refusal) -> SeenMember | None:
        return (self.standing or {}).get(refusal.member_id or "")


@dataclass(frozen=True)
class Request:
    """One call of an action: its name and arguments, and the caller's key for retries."""

    action: str
    arguments: Mapping[str, Any]
    idempotency_key: str | None = None

    @property
    def input_hash(self) -> str:
        canonical = json.dumps([self.action, self.arguments], sort_keys=True, default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()


async def earlier(tx: Transaction, caller: Caller, request: Request) -> Outcome | None:
    """The recorded outcome of the first call with this key, its objects as of now."""
    if request.idempotency_key is None:
        return None
    recorded = await outcomes.recall(tx, caller.tenant_id, request.idempotency_key)
    if recorded is None:
        return None
    if recorded.input_hash != request.input_hash:
        message = "This idempotency key was used with another input. Use a new key for a new request."
        return Outcome(refusals=(BadUserInput(message, ("input", "idempotencyKey")),))
    return await _replay(tx, caller, recorded.outcome)


async def remember(tx: Transaction, caller: Caller, request: Request, outcome: Outcome) -> None:
    """Record the outcome under the caller's key, in the transaction of the action.

    A key belongs to a tenant, and its users differ in their roles: what one of them may not do is not held against
    the next one.
    """
    if request.idempotency_key is not None and not outcome.is_lack_of_rights:
        facts = _facts(outcome)
        await outcomes.record(tx, caller.tenant_id, request.idempotency_key, request.input_hash, facts)


def _facts(outcome: Outcome) -> dict[str, Any]:
    return {
        "image": outcome.image.id if outcome.image else None,
        "members": [member.id for member in outcome.members],
        "ended": outcome.ended_id,
        "refusals": [
            {
                "code": refusal.code,
                "message": refusal.message,
                "path": refusal.path,
                "tenant_id": refusal.tenant_id,
                "member_id": refusal.member_id,
            }
            for refusal in outcome.refusals
        ],
    }


async def _replay(tx: Transaction, caller: Caller, facts: Mapping[str, Any]) -> Outcome:
    refusals = tuple(_refusal(**refusal) for refusal in facts["refusals"])
    member_ids = [*facts["members"], *_present(refusal.member_id for refusal in refusals)]
    image = await images.find_one(tx.conn, caller, facts["image"]) if facts["image"] else None
    # Another transaction may end the membership between the two reads: no row is shown without its image.
    rows = await members.find(tx.conn, caller, member_ids) if image else {}
    return Outcome(
        image=image,
        members=tuple(rows[member_id] for member_id in facts["members"] if member_id in rows),
        ended_id=facts["ended"],
        refusals=refusals,
        standing=rows,
    )


def _refusal(code: str, message: str, path: list[str] | None, **about: str | None) -> Refusal:
    if code not in _REFUSALS:
        # During a rolling upgrade, newer workers may record codes that this version does not know.
        raise Unavailable("A newer version of the gateway recorded this outcome. Try again in a moment.")
    return _REFUSALS[code](message, tuple(path) if path else None, **about)


def _present(ids: Iterable[str | None]) -> list[str]:
    return [one for one in ids if one is not None]
