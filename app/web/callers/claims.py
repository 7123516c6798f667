"""Verifies the signature and claims of a token, and builds the Caller from them."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import jwt

from app.errors import NoRole, TokenExpired, Unauthenticated
from app.model import Caller, Role
from app.web.callers.faults import UNREADABLE, Fault, fault_of
from app.web.callers.keys import Key
from app.web.callers.policy import TokenPolicy

END_OF_TIME = int(datetime(9000, 1, 1, tzinfo=UTC).timestamp())
# The policy checks issuer and audience, which the library could only compare with fixed values.
_OPTIONS: Any = {"require": ["exp"], "verify_aud": False, "verify_iss": False}
MISSING = "nothing"


class VerifiedToken(NamedTuple):
    """A verified token: its caller, its expiry in seconds of Unix time, and the key that signed it."""

    caller: Caller
    until: float
    key: Key


class Mismatch(NamedTuple):
    """A check that the claims of a token do not pass, with both values."""

    check: str
    expected: str
    found: str
    problem: Unauthenticated


class Reading(NamedTuple):
    """Claims, and the tenant and roles that the policy of their issuer reads from them."""

    claims: Mapping[str, Any]
    policy: TokenPolicy
    tenant_id: str | None
    roles: frozenset[Role]


def verify_token(
    token: str, keys: Sequence[Key], policy: TokenPolicy, on_mismatch: Callable[[Mismatch, str], None]
) -> VerifiedToken:
    """Verify a token against the candidate keys. Raises Unauthenticated, TokenExpired or NoRole.

    `on_mismatch` gets the failed check and the issuer, of tokens with a good signature only.
    """
    try:
        key, claims = _decode(token, keys, policy)
    except jwt.ExpiredSignatureError:
        raise TokenExpired(Fault.EXPIRED) from None
    except UNREADABLE as error:
        raise Unauthenticated(fault_of(error)) from None
    reading = read_claims(claims, policy)
    if (mismatch := next(mismatches(reading), None)) is not None:
        on_mismatch(mismatch, policy.issuer)
        raise mismatch.problem
    caller = caller_of(reading)
    return VerifiedToken(caller, caller.expires_at.timestamp() + policy.leeway_seconds, key)


def _decode(token: str, keys: Sequence[Key], policy: TokenPolicy) -> tuple[Key, dict[str, Any]]:
    """The key that signed the token, and the claims. The next key is tried only after a wrong signature."""
    wrong = jwt.InvalidSignatureError()
    for key in keys:
        try:
            claims = jwt.decode(
                token, key.jwk, algorithms=[key.algorithm], leeway=policy.leeway_seconds, options=_OPTIONS
            )
        except jwt.InvalidSignatureError as error:
            wrong = error
        else:
            return key, claims
    raise wrong


def read_claims(claims: Mapping[str, Any], policy: TokenPolicy) -> Reading:
    tenant_id = policy.tenant_id(claims)
    return Reading(claims, policy, tenant_id, policy.roles(claims, tenant_id or ""))


def caller_of(reading: Reading) -> Caller:
    """The caller of claims that have no mismatch."""
    expires_at = datetime.fromtimestamp(min(int(reading.claims["exp"]), END_OF_TIME), UTC)
    return Caller(str(reading.tenant_id), reading.roles, expires_at, reading.policy.subject(reading.claims))


def mismatches(reading: Reading) -> Iterator[Mismatch]:
    """The checks of issuer, audience, tenant and roles that the claims do not pass."""
    # An issuer with a placeholder for the tenant can only be checked with a good tenant ID.
    for check in _TENANT_FIRST if reading.policy.is_template else _TENANT_LATER:
        if (mismatch := check(reading)) is not None:
            yield mismatch


def unknown_issuer(policies: Iterable[TokenPolicy]) -> Mismatch:
    """The mismatch of a token that none of these has issued. It is not verified, so nothing of it is quoted."""
    expected = " or ".join(policy.issuer for policy in policies)
    return Mismatch("issuer", expected, "another one, not verified", Unauthenticated(Fault.ISSUER))


def _issuer(reading: Reading) -> Mismatch | None:
    found, expected = reading.claims.get("iss"), reading.policy.issuer_of_tenant(reading.tenant_id or "")
    if isinstance(found, str) and found == expected:
        return None
    return Mismatch("issuer", expected, shown(found), _wrong(found, Fault.ISSUER))


def _audience(reading: Reading) -> Mismatch | None:
    policy = reading.policy
    found = policy.audience_claim(reading.claims)
    listed = cast(list[Any], found) if isinstance(found, list) else [found]
    if all(isinstance(one, str) for one in listed) and not policy.audiences.isdisjoint(listed):
        return None
    expected = f"{' or '.join(sorted(policy.audiences))} in {policy.entry.audience_claim}"
    return Mismatch("audience", expected, shown(found), _wrong(found, Fault.AUDIENCE))


def _wrong(found: Any, fault: Fault) -> Unauthenticated:
    return Unauthenticated(Fault.MISSING if found is None else fault)


def _tenant(reading: Reading) -> Mismatch | None:
    if reading.tenant_id is not None:
        return None
    entry, found = reading.policy.entry, shown(reading.policy.tenant_claim(reading.claims))
    expected = f"one that matches {entry.tenant_id_pattern or reading.policy.tenant_id_pattern} in {entry.tenant_claim}"
    problem = Unauthenticated(f"The token has no tenant ID in {entry.tenant_claim!r}.")
    return Mismatch("tenant", expected, found, problem)


def _roles(reading: Reading) -> Mismatch | None:
    if reading.roles:
        return None
    policy = reading.policy
    expected = f"one of {', '.join(policy.role_map)} in {policy.entry.roles_claim}"
    problem = NoRole(f"The token has no known role in {policy.entry.roles_claim!r}.")
    return Mismatch("roles", expected, shown(policy.roles_claim(reading.claims)), problem)


_TENANT_FIRST = (_tenant, _issuer, _audience, _roles)
_TENANT_LATER = (_issuer, _audience, _tenant, _roles)


def shown(value: Any) -> str:
    """A claim's value for operators, as printable text on one line."""
    if value is None:
        return MISSING
    if isinstance(value, str) and value.isprintable():
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return "a value that can't be shown"
