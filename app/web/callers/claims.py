"""What a token must say to count: its signature, its claims, and the Caller that they make."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import jwt

from app.errors import BadUserInput, TokenExpired, Unauthenticated
from app.model import Caller, Role
from app.settings import Settings
from app.sharing import formats
from app.web.callers.faults import UNREADABLE, Fault, fault_of
from app.web.callers.keys import Key

END_OF_TIME = int(datetime(9000, 1, 1, tzinfo=UTC).timestamp())
REQUIRED = ["exp", "aud", "iss"]
LONGEST_SUBJECT = 255


class Verified(NamedTuple):
    """Whose token it is, until when it counts, in seconds of Unix time, and the key that it was signed with."""

    caller: Caller
    until: float
    key: Key


def verified(token: str, keys: Sequence[Key], settings: Settings) -> Verified:
    """Verify a token with whichever of the keys has signed it. Raises Unauthenticated, and TokenExpired."""
    try:
        key, claims = _signed(token, keys, settings)
    except jwt.ExpiredSignatureError:
        raise TokenExpired(Fault.EXPIRED) from None
    except UNREADABLE as error:
        raise Unauthenticated(fault_of(error)) from None
    caller = _caller(claims, settings)
    return Verified(caller, caller.expires_at.timestamp() + settings.auth_leeway_seconds, key)


def _signed(token: str, keys: Sequence[Key], settings: Settings) -> tuple[Key, dict[str, Any]]:
    """The claims, and the key. Only a wrong signature lets the next key be tried."""
    wrong = jwt.InvalidSignatureError()
    for key in keys:
        try:
            claims = jwt.decode(
                token,
                key.jwk,
                algorithms=[key.algorithm],
                audience=settings.auth_audience,
                issuer=settings.auth_issuer,
                leeway=settings.auth_leeway_seconds,
                options={"require": REQUIRED},
            )
        except jwt.InvalidSignatureError as error:
            wrong = error
        else:
            return key, claims
    raise wrong


def _caller(claims: Mapping[str, Any], settings: Settings) -> Caller:
    tenant_id = claims.get(settings.auth_tenant_claim)
    try:
        formats.tenant_id(tenant_id if isinstance(tenant_id, str) else "", settings.tenant_id_pattern)
    except BadUserInput:
        raise Unauthenticated(f"The token has no tenant ID in {settings.auth_tenant_claim!r}.") from None
    roles = _roles(claims.get(settings.auth_roles_claim))
    if not roles:
        raise Unauthenticated(f"The token has no known role in {settings.auth_roles_claim!r}.")
    expires_at = datetime.fromtimestamp(min(int(claims["exp"]), END_OF_TIME), UTC)
    return Caller(str(tenant_id), roles, expires_at, _subject(claims.get(settings.auth_subject_claim)))


def _subject(claim: Any) -> str | None:
    """The user's name for the log; what is no name is left out."""
    return str(claim)[:LONGEST_SUBJECT] if isinstance(claim, str | int | float) else None


def _roles(claim: Any) -> frozenset[Role]:
    words: Any = claim.split() if isinstance(claim, str) else claim
    if not isinstance(words, list):
        return frozenset()
    return frozenset(role for role in Role if role in cast(list[Any], words))
