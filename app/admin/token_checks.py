"""Explains one token: what is read from it, which check it fails, and which caller it identifies."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.admin.findings import Check, Result, fail, note, ok
from app.admin.identity import check_settings, fetch_keys
from app.errors import Unauthenticated
from app.model import Caller
from app.settings import Settings
from app.settings.issuers import IssuerSettings
from app.web.callers import issuers, tokens
from app.web.callers.claims import mismatches, read_claims, shown, unknown_issuer, verify_token
from app.web.callers.faults import Fault
from app.web.callers.identity import secret_keys
from app.web.callers.issuer_choice import IssuerChoice, unverified_claims
from app.web.callers.keys import Key
from app.web.callers.policy import TokenPolicy

LONGEST_VALUE = 300


async def check_token(settings: Settings, token: str) -> AsyncIterator[Check]:
    """Check a token in the steps of the server. Claims are read even if the signature is wrong."""
    if (obstacle := _obstacle(settings)) is not None:
        yield obstacle
        return
    trusted = issuers.trusted_issuers(settings)
    policies = [issuers.policy_for(entry, settings) for entry in trusted]
    try:
        (algorithm, key_id), claims = _parse(token)
        index = IssuerChoice(policies).index_for(token)
    except Unauthenticated as problem:
        yield fail("form", _sentence(problem), "Give one token, as the client sends it behind `Bearer`.")
        return
    yield ok("header", f"algorithm {shown(algorithm)}, key ID {_bounded(shown(key_id))}")
    if index is None:
        yield _difference("issuer", unknown_issuer(policies).expected, shown(claims.get("iss")))
        return
    async for check in _check_against(trusted[index], settings, token, claims):
        yield check


def _obstacle(settings: Settings) -> Check | None:
    """The reason why no token can be explained."""
    if settings.upstream is not None:
        return note("token", "Keystone verifies it, and gives no reasons", "Look at the log of Keystone.")
    setup = check_settings(settings)
    return None if setup.result is Result.OK else setup


def _parse(token: str) -> tuple[tuple[str, str | None], dict[str, Any]]:
    """The algorithm, the key ID and the claims, none of them verified."""
    if len(token) > tokens.MAX_TOKEN:
        raise Unauthenticated(Fault.TOO_LONG)
    if not tokens.FORM.fullmatch(token):
        raise Unauthenticated(Fault.FORM)
    return tokens.read_header(token.partition(".")[0]), unverified_claims(token)


async def _check_against(
    entry: IssuerSettings, settings: Settings, token: str, claims: Mapping[str, Any]
) -> AsyncIterator[Check]:
    """Check a token against the keys and the policy of its issuer."""
    published, keys = await fetch_keys(entry, settings)
    if keys is not None:
        yield keys
    policy = issuers.policy_for(entry, settings)
    verdict = _verify(token, lambda: tokens.candidate_keys(token, secret_keys(entry, settings), published), policy)
    for check in _explain(claims, policy, verdict):
        yield check


def _verify(token: str, find_keys: Callable[[], Sequence[Key]], policy: TokenPolicy) -> Caller | Unauthenticated:
    try:
        return verify_token(token, find_keys(), policy, lambda _mismatch, _issuer: None).caller
    except Unauthenticated as problem:
        return problem


def _explain(claims: Mapping[str, Any], policy: TokenPolicy, verdict: Caller | Unauthenticated) -> Iterator[Check]:
    failed = {mismatch.check: mismatch for mismatch in mismatches(read_claims(claims, policy))}
    if isinstance(verdict, Unauthenticated) and str(verdict) not in [str(one.problem) for one in failed.values()]:
        yield fail("signature and times", _sentence(verdict), _advice(verdict, claims))
    else:
        yield ok("signature and times", f"a key of {policy.issuer} has signed it, and it is valid now")
    for name, value in _found(claims, policy).items():
        if (mismatch := failed.get(name)) is not None:
            yield _difference(name, mismatch.expected, mismatch.found)
        else:
            yield ok(name, _bounded(shown(value)))
    yield _caller(verdict)


def _advice(problem: Unauthenticated, claims: Mapping[str, Any]) -> str:
    match str(problem):
        case Fault.ALGORITHM:
            return "Compare the header above with IMAGE_GATEWAY_AUTH_JWKS_ALGORITHMS, and whether a secret is set."
        case Fault.KEY_AWAITED | Fault.SIGNATURE | Fault.KEY_ALGORITHM:
            return "Compare the key ID above with the keys of the issuer, and the issuer with the one of the settings."
        case _:
            ends, now = _time(claims.get("exp")), _time(datetime.now(UTC).timestamp())
            return f"It says that it ends at {ends}; it is {now} here."


def _found(claims: Mapping[str, Any], policy: TokenPolicy) -> dict[str, Any]:
    """The values that are checked, by the names of the checks."""
    return {
        "issuer": claims.get("iss"),
        "audience": policy.audience_claim(claims),
        "tenant": policy.tenant_claim(claims),
        "roles": policy.roles_claim(claims),
    }


def _difference(name: str, expected: str, found: str) -> Check:
    advice = "Change the setting if the token is right, or the identity provider if the setting is."
    return fail(name, f"expected {_bounded(expected)}, found {_bounded(found)}", advice)


def _caller(verdict: Caller | Unauthenticated) -> Check:
    if isinstance(verdict, Unauthenticated):
        return fail("caller", f"none: {verdict.code.value}, {_sentence(verdict)}", "Correct what failed above.")
    roles = ", ".join(sorted(verdict.roles))
    return ok("caller", f"tenant {verdict.tenant_id} as {roles}, subject {shown(verdict.subject)}")


def _sentence(problem: Unauthenticated) -> str:
    return str(problem).removesuffix(".")


def _bounded(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _time(seconds: object) -> str:
    """A time of a token for people."""
    try:
        return datetime.fromtimestamp(float(str(seconds)), UTC).isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):
        return "no time"
