"""Explains one token: what is read from it, which check it fails, and which caller it identifies."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.admin.findings import Check, Result, fail, note, ok
from app.admin.identity import check_settings, fetch_keys
from app.errors import Unauthenticated
from app.model import Caller
from app.settings import Settings
from app.web.callers import issuers, tokens
from app.web.callers.claims import mismatches, read_claims, shown, unknown_issuer, verify_token
from app.web.callers.faults import Fault
from app.web.callers.identity import SharedSecret
from app.web.callers.issuer_choice import IssuerChoice, unverified_claims
from app.web.callers.keys import Key
from app.web.callers.policy import TokenPolicy

LONGEST_VALUE = 300


async def check_token(settings: Settings, token: str) -> AsyncIterator[Check]:
    """Check a token in the steps of the server. Claims are read even if the signature is wrong."""
    if settings.upstream is not None:
        yield note("token", "Keystone verifies it, and says no more than yes or no", "Look it up with: openstack token")
        return
    if (setup := check_settings(settings)).result is not Result.OK:
        yield setup
        return
    try:
        _check_form(token)
        claims, (algorithm, key_id) = unverified_claims(token), tokens.read_header(token.partition(".")[0])
        trusted = issuers.trusted_issuers(settings)
        policies = [issuers.policy_for(entry, settings) for entry in trusted]
        index = IssuerChoice(policies).index_for(token)
    except Unauthenticated as problem:
        yield fail("form", _sentence(problem), "Give one token, as the client sends it behind `Bearer`.")
        return
    yield ok("header", f"algorithm {shown(algorithm)}, key ID {_bounded(shown(key_id))}")
    if index is None:
        yield _difference("issuer", unknown_issuer(policies).expected, shown(claims.get("iss")))
        return
    published, keys = await fetch_keys(trusted[index], settings)
    if keys is not None:
        yield keys
    is_first = issuers.has_first_issuer(settings) and index == 0
    secret_keys = SharedSecret(settings).keys if is_first and settings.auth_secret is not None else ()
    verdict = _verify(token, lambda: tokens.candidate_keys(token, secret_keys, published), policies[index])
    for check in _explain(claims, policies[index], verdict):
        yield check


def _check_form(token: str) -> None:
    if len(token) > tokens.MAX_TOKEN:
        raise Unauthenticated(Fault.TOO_LONG)
    if not tokens.FORM.fullmatch(token):
        raise Unauthenticated(Fault.FORM)


def _verify(token: str, find_keys: Callable[[], Sequence[Key]], policy: TokenPolicy) -> Caller | Unauthenticated:
    try:
        return verify_token(token, find_keys(), policy, lambda _mismatch, _issuer: None).caller
    except Unauthenticated as problem:
        return problem


def _explain(claims: Mapping[str, Any], policy: TokenPolicy, verdict: Caller | Unauthenticated) -> Iterator[Check]:
    failed = {mismatch.check: mismatch for mismatch in mismatches(read_claims(claims, policy))}
    if isinstance(verdict, Unauthenticated) and str(verdict) not in [str(one.problem) for one in failed.values()]:
        advice = (
            f"It says that it ends at {_time(claims.get('exp'))}; it is {_time(datetime.now(UTC).timestamp())} here."
        )
        yield fail("signature and times", _sentence(verdict), advice)
    else:
        yield ok("signature and times", f"a key of {policy.issuer} has signed it, and it is valid now")
    found = {
        "issuer": claims.get("iss"),
        "audience": policy.audience_claim(claims),
        "tenant": policy.tenant_claim(claims),
        "roles": policy.roles_claim(claims),
    }
    for name, value in found.items():
        if (mismatch := failed.get(name)) is not None:
            yield _difference(name, mismatch.expected, mismatch.found)
        else:
            yield ok(name, _bounded(shown(value)))
    yield _caller(verdict)


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
