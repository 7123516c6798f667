"""A change upstream: how it is decided, called, and read back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.errors import Conflict, Refusal
from app.model import Caller, SeenImage
from app.sharing import formats, rules
from app.sharing.outcome import Outcome, Request
from app.store import images
from app.store.engines.transaction import Transaction

LATE = "Glance did not say what has become of this, and it has not happened. Use a new idempotency key to try again."
ENDED = "This was done, and has been undone by somebody else since."


# What was refused, by what each call was about; None when the answers were lost.
Refusals = Mapping[str, Refusal] | None
Call = Callable[[], Awaitable[Any]]
Conclude = Callable[[Transaction, Mapping[str, Any], Refusals], Awaitable[Outcome]]
# The call that is still needed although Glance has confirmed the first one, if any.
Repair = Callable[[Transaction, Mapping[str, Any]], Awaitable[Call | None]]


@dataclass(frozen=True)
class Intent:
    """A planned change: `calls` by their subject, and `facts` from which its outcome can be found later."""

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
    repair: Repair | None = None


async def visible_image(tx: Transaction, caller: Caller, image_id: str, argument: str = "imageId") -> SeenImage:
    """The image as the mirror shows it to the caller. Raises NotFound."""
    image = await images.find_one(tx.conn, caller, image_id) if formats.uuid(image_id) else None
    return rules.require_seen(image, argument)


def not_seen(refusals: Refusals) -> Conflict:
    """Why what should have been done is not there."""
    return Conflict(LATE if refusals is None else ENDED)


def token_of(caller: Caller) -> str:
    assert caller.token is not None, "in front of a cloud every caller has come with a token"
    return caller.token
