"""Bearer tokens, verified with the shared secret, the key set of an identity provider, or either."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from time import time
from typing import Any

import jwt

from app.errors import KeyAwaited, SetupError, TokenExpired, Unauthenticated
from app.model import Caller
from app.settings import Settings
from app.web.callers.claims import VerifiedToken, verify_token
from app.web.callers.faults import UNREADABLE, Fault, fault_of
from app.web.callers.identity import ALGORITHM, Lease, SharedSecret
from app.web.callers.key_set import KeySet
from app.web.callers.keys import Key

MAX_TOKEN = 8_192
CACHED_TOKENS = 10_000
# Between the ends of two leases on a withdrawn key, so that their callers do not all reconnect at once.
INTERVAL_SECONDS = 0.001
_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class Tokens:
    """Verifies tokens locally. VerifiedToken tokens are cached until they expire or their key is withdrawn."""

    token_header: str | None = None

    def __init__(self, settings: Settings) -> None:
        check_identity_settings(settings)
        self._settings = settings
        self._secret = None if settings.auth_secret is None else SharedSecret(settings)
        self._key_set = None if settings.auth_jwks_url is None else _key_set(settings, self._withdraw)
        self._verified = lru_cache(maxsize=CACHED_TOKENS)(self._verify)
        self._leases: defaultdict[Key, set[Lease]] = defaultdict(set)

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
            if self._key_set is not None:
                await self._key_set.wait_for_fetch()
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
        return self._secret is not None or self._key_set is None or not self._key_set.is_empty

    @property
    def key_set_age(self) -> float | None:
        return None if self._key_set is None else self._key_set.age

    async def start(self) -> None:
        if self._key_set is not None:
            self._key_set.start()

    async def stop(self) -> None:
        if self._key_set is not None:
            await self._key_set.stop()

    def _verify(self, token: str) -> VerifiedToken:
        keys = self._candidate_keys(token)
        if not _FORM.fullmatch(token):
            # The decoder skips other characters, so one token would have many spellings, each with a cache entry.
            raise Unauthenticated(Fault.FORM)
        return verify_token(token, keys, self._settings)

    def _candidate_keys(self, token: str) -> Sequence[Key]:
        """The keys that may have signed a token. A key is tried only with its own algorithm."""
        algorithm, key_id = _header(token.partition(".")[0])
        if self._secret is not None and algorithm == ALGORITHM:
            return self._secret.keys
        if self._key_set is not None and algorithm in self._key_set.algorithms:
            return self._key_set.find(algorithm, key_id)
        raise Unauthenticated(Fault.ALGORITHM)

    def _withdraw(self, keys: Iterable[Key]) -> None:
        """Revoke the tokens that these keys have signed, and end their leases one after the other."""
        self._verified.cache_clear()
        ending = [lease for key in keys for lease in self._leases.pop(key, ())]
        for index, lease in enumerate(ending):
            lease.cut(index * INTERVAL_SECONDS)


def check_identity_settings(settings: Settings) -> None:
    """Raises SetupError if the identity settings are incomplete or contradict each other."""
    secret, url = settings.auth_secret, settings.auth_jwks_url
    if secret is None and settings.auth_previous_secret is not None:
        raise SetupError(
            "IMAGE_GATEWAY_AUTH_PREVIOUS_SECRET is set without IMAGE_GATEWAY_AUTH_SECRET. Set the new one."
        )
    if secret is None and url is None:
        raise SetupError(
            "There is no secret to check tokens with. Set IMAGE_GATEWAY_AUTH_SECRET to at least 32 random bytes, "
            "for example from: openssl rand -hex 32. Or set IMAGE_GATEWAY_AUTH_JWKS_URL to the keys of your identity "
            "provider."
        )
    useless = sorted(name for name in settings.model_fields_set if name.startswith("auth_jwks_") and url is None)
    if useless:
        raise SetupError(f"IMAGE_GATEWAY_{useless[0].upper()} has no effect without IMAGE_GATEWAY_AUTH_JWKS_URL.")
    if settings.auth_jwks_keep.total_seconds() < settings.auth_jwks_refresh_seconds:
        raise SetupError("IMAGE_GATEWAY_AUTH_JWKS_KEEP is shorter than IMAGE_GATEWAY_AUTH_JWKS_REFRESH_SECONDS.")


def _key_set(settings: Settings, on_withdrawn: Callable[[Iterable[Key]], None]) -> KeySet:
    # The HTTP client is imported only where it is used.
    from app.web.callers.key_server import KeyServer

    return KeySet(
        KeyServer(str(settings.auth_jwks_url)),
        settings.auth_jwks_algorithms.split(),
        settings.auth_jwks_refresh_seconds,
        settings.auth_jwks_keep.total_seconds(),
        on_withdrawn,
    )


@lru_cache(maxsize=256)
def _header(first: str) -> tuple[str, str | None]:
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
