"""Bearer tokens, verified by the keys of their issuer: a shared secret, a key set, or either."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from time import time
from typing import Any, NamedTuple

import jwt

from app.errors import KeyAwaited, TokenExpired, Unauthenticated
from app.model import Caller
from app.settings import Settings
from app.settings.issuers import IssuerSettings
from app.web.callers import issuers
from app.web.callers.claims import VerifiedToken, unknown_issuer, verify_token
from app.web.callers.faults import UNREADABLE, Fault, fault_of
from app.web.callers.identity import ALGORITHM, Lease, SharedSecret
from app.web.callers.issuer_choice import IssuerChoice
from app.web.callers.key_index import KeyIndex
from app.web.callers.key_set import KeySet
from app.web.callers.keys import Key
from app.web.callers.policy import TokenPolicy
from app.web.callers.refusal_log import RefusalLog

MAX_TOKEN = 8_192
CACHED_TOKENS = 10_000
# Between the ends of two leases on a withdrawn key, so that their callers do not all reconnect at once.
INTERVAL_SECONDS = 0.001
FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class Issuer(NamedTuple):
    """A trusted issuer: its policy, and the keys that may sign its tokens and no others."""

    policy: TokenPolicy
    secret_keys: Sequence[Key]
    key_set: KeySet | None

    def candidate_keys(self, token: str) -> Sequence[Key]:
        return candidate_keys(token, self.secret_keys, None if self.key_set is None else self.key_set.index)


def candidate_keys(token: str, secret_keys: Sequence[Key], published: KeyIndex | None) -> Sequence[Key]:
    """The keys of an issuer that may have signed a token. Raises Unauthenticated or KeyAwaited."""
    algorithm, key_id = read_header(token.partition(".")[0])
    if secret_keys and algorithm == ALGORITHM:
        return secret_keys
    if published is not None and algorithm in published.algorithms:
        return published.find(algorithm, key_id)
    raise Unauthenticated(Fault.ALGORITHM)


class Tokens:
    """Verifies tokens locally. Verified tokens are cached until they expire or their key is withdrawn."""

    token_header: str | None = None

    def __init__(self, settings: Settings) -> None:
        issuers.check_identity_settings(settings)
        self._settings = settings
        self._issuers = [self._open(entry) for entry in issuers.trusted_issuers(settings)]
        self._choice = IssuerChoice([issuer.policy for issuer in self._issuers])
        self._key_sets = [issuer.key_set for issuer in self._issuers if issuer.key_set is not None]
        self._verified = lru_cache(maxsize=CACHED_TOKENS)(self._verify)
        self._leases: defaultdict[Key, set[Lease]] = defaultdict(set)
        self._refusals = RefusalLog()

    def caller(self, token: str) -> Caller:
        if len(token) > MAX_TOKEN:
            raise Unauthenticated(Fault.TOO_LONG)
        caller, until, _ = self._verified(token)
        if until <= time():
            raise TokenExpired(Fault.EXPIRED)
        return caller

    async def identify(self, token: str) -> Caller:
        try:
            return self.caller(token)
        except KeyAwaited:
            if (key_set := self._issuer(token).key_set) is not None:
                await key_set.wait_for_fetch()
            return self.caller(token)

    def lease(self, token: str, end: Callable[[], object]) -> Lease:
        try:
            _, until, key = self._verified(token)
        except Unauthenticated:  # its key was withdrawn after the caller was identified
            return Lease(0, end, lambda _: None)
        leases = self._leases[key]
        lease = Lease(until - time(), end, leases.discard)
        leases.add(lease)
        return lease

    @property
    def is_ready(self) -> bool:
        """Whether the callers of any issuer can be identified: one that is away must not stop the others."""
        has_secret = any(issuer.secret_keys for issuer in self._issuers)
        return has_secret or any(not key_set.is_empty for key_set in self._key_sets)

    @property
    def key_set_age(self) -> float | None:
        return max((key_set.age for key_set in self._key_sets), default=None)

    async def start(self) -> None:
        for key_set in self._key_sets:
            key_set.start()

    async def stop(self) -> None:
        for key_set in self._key_sets:
            await key_set.stop()

    def _open(self, entry: IssuerSettings) -> Issuer:
        settings, policy = self._settings, issuers.policy_for(entry, self._settings)
        is_first = issuers.has_first_issuer(settings) and entry == issuers.first_issuer(settings)
        secret_keys = SharedSecret(settings).keys if is_first and settings.auth_secret is not None else ()
        if not issuers.has_key_set(entry, settings):
            return Issuer(policy, secret_keys, None)
        key_set = KeySet(
            issuers.key_server(entry),
            entry.jwks_algorithms.split(),
            settings.auth_jwks_refresh_seconds,
            settings.auth_jwks_keep.total_seconds(),
            self._withdraw,
            policy.issuer if policy.is_template else None,
        )
        return Issuer(policy, secret_keys, key_set)

    def _issuer(self, token: str) -> Issuer:
        if (index := self._choice.index_for(token)) is not None:
            return self._issuers[index]
        mismatch = unknown_issuer([issuer.policy for issuer in self._issuers])
        self._refusals.record(mismatch, None)
        raise mismatch.problem

    def _verify(self, token: str) -> VerifiedToken:
        issuer = self._issuer(token)
        keys = issuer.candidate_keys(token)
        if not FORM.fullmatch(token):
            # The decoder skips other characters, so one token would have many spellings, each with a cache entry.
            raise Unauthenticated(Fault.FORM)
        return verify_token(token, keys, issuer.policy, self._refusals.record)

    def _withdraw(self, keys: Iterable[Key]) -> None:
        """Revoke the tokens that these keys have signed, and end their leases one after the other."""
        self._verified.cache_clear()
        ending = [lease for key in keys for lease in self._leases.pop(key, ())]
        for index, lease in enumerate(ending):
            lease.cut(index * INTERVAL_SECONDS)


@lru_cache(maxsize=256)
def read_header(first: str) -> tuple[str, str | None]:
    """The algorithm and the key ID in a token's header, which is not verified yet.

    Cached, since all tokens of one key have the same header.
    """
    try:
        # The other parts are checked once there is a key.
        header: dict[str, Any] = jwt.get_unverified_header(f"{first}..")
    except UNREADABLE as error:
        raise Unauthenticated(fault_of(error)) from None
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise Unauthenticated(Fault.NO_ALGORITHM)
    return algorithm, header.get("kid")
