"""Translates refusals of the upstream into refusals of the gateway. Pure."""

from app.errors import BadUserInput, Conflict, Forbidden, LimitExceeded, NotFound, Refusal
from app.sharing.rules import UNSEEN_IMAGE
from app.upstream.errors import Refused

_KINDS: dict[int, tuple[type[Refusal], str]] = {
    400: (BadUserInput, "Glance can't read this input."),
    403: (Forbidden, "Glance does not allow this."),
    404: (NotFound, UNSEEN_IMAGE),
    409: (Conflict, "The present state does not allow this."),
    413: (LimitExceeded, "A quota of Glance is full."),
}


def refusal_of(refused: Refused, tenant_id: str | None = None) -> Refusal:
    """Glance's own reason is shown, except where it would tell what the caller may not know."""
    kind, sentence = _KINDS[refused.status]
    message = f"Glance: {refused.reason}" if refused.reason and kind is not NotFound else sentence
    return kind(message, tenant_id=tenant_id)
