"""Verifies the signature and claims of a token, and builds the Caller from them."""

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


class VerifiedToken(NamedTuple):
    """A verified token: its caller, its expiry in seconds of Unix time, and the key that signed it."""

    caller: Caller
    until: float
    key: Key


def verify_token(token: str, keys: Sequence[Key], settings: Settings) -> VerifiedToken:
    """Verify a token against the candidate keys. Raises Unauthenticated or TokenExpired."""
    try:
        key, claims = _decode(token, keys, settings)
    except jwt.ExpiredSignatureError:
        raise TokenExpired(Fault.EXPIRED) from None
    except UNREADABLE as error:
        raise Unauthenticated(fault_of(error)) from None
    caller = _caller(claims, settings)
    return VerifiedToken(caller, caller.expires_at.timestamp() + settings.auth_leeway_seconds, key)


def _decode(token: str, keys: Sequence[Key], settings: Settings) -> tuple[Key, dict[str, Any]]:
    """The key that signed the token, and the claims. The next key is tried only after a wrong signature."""
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
    """The user's name for the log, or None if the claim is not a name."""
    return str(claim)[:LONGEST_SUBJECT] if isinstance(claim, str | int | float) else None


def _roles(claim: Any) -> frozenset[Role]:
    words: Any = claim.split() if isinstance(claim, str) else claim
    if not isinstance(words, list):
        return frozenset()
    return frozenset(role for role in Role if role in cast(list[Any], words))
