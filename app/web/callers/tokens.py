"""Bearer tokens, verified by the shared secret, by the keys of an identity provider, or by either."""

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
from app.web.callers.claims import Verified, verified
from app.web.callers.faults import UNREADABLE, Fault, fault_of
from app.web.callers.identity import ALGORITHM, Lease, SharedSecret
from app.web.callers.key_set import KeySet
from app.web.callers.keys import Key

MAX_TOKEN = 8_192
CACHED_TOKENS = 10_000
APART_SECONDS = 0.001
_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class Tokens:
    """The identity provider of the settings. Verified tokens are remembered until they expire or lose their key."""

    token_header: str | None = None

    def __init__(self, settings: Settings) -> None:
        require_sense(settings)
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
                await self._key_set.renewed()
            return self.caller(token)

    def lease(self, token: str, end: Callable[[], object]) -> Lease:
        try:
            _, until, key = self._verified(token)
        except Unauthenticated:  # its key was withdrawn since it let the caller in
            return Lease(0, end, lambda _: None)
        held = self._leases[key]
        lease = Lease(until - time(), end, held.discard)
        held.add(lease)
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

    def _verify(self, token: str) -> Verified:
        keys = self._fitting(token)
        if not _FORM.fullmatch(token):
            # What the decoder passes over would make many tokens of one, each of which is remembered.
            raise Unauthenticated(Fault.FORM)
        return verified(token, keys, self._settings)

    def _fitting(self, token: str) -> Sequence[Key]:
        """The keys that may have signed it. Which they are hangs on the algorithm alone, so none serves for another."""
        algorithm, key_id = _header(token.partition(".")[0])
        if self._secret is not None and algorithm == ALGORITHM:
            return self._secret.keys
        if self._key_set is not None and algorithm in self._key_set.algorithms:
            return self._key_set.fitting(algorithm, key_id)
        raise Unauthenticated(Fault.ALGORITHM)

    def _withdraw(self, keys: Iterable[Key]) -> None:
        """Nothing that they have signed counts any more, and who was let in has to come again, one after the other."""
        self._verified.cache_clear()
        ending = [lease for key in keys for lease in self._leases.pop(key, ())]
        for place, lease in enumerate(ending):
            lease.cut(place * APART_SECONDS)


def require_sense(settings: Settings) -> None:
    """Raises SetupError when what the settings say of identity makes none."""
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
    idle = sorted(name for name in settings.model_fields_set if name.startswith("auth_jwks_") and url is None)
    if idle:
        raise SetupError(f"IMAGE_GATEWAY_{idle[0].upper()} is of no use without IMAGE_GATEWAY_AUTH_JWKS_URL.")
    if settings.auth_jwks_keep.total_seconds() < settings.auth_jwks_refresh_seconds:
        raise SetupError("IMAGE_GATEWAY_AUTH_JWKS_KEEP is shorter than IMAGE_GATEWAY_AUTH_JWKS_REFRESH_SECONDS.")


def _key_set(settings: Settings, on_withdrawn: Callable[[Iterable[Key]], None]) -> KeySet:
    # The HTTP client is loaded by those only who need one.
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
    """The algorithm and the key ID that a token claims to have in its first part, before any of it is verified.

    All tokens of one key begin alike.
    """
    try:
        # Without the rest, which is looked at when a key is there.
        header: dict[str, Any] = jwt.get_unverified_header(f"{first}..")
    except UNREADABLE as error:
        raise Unauthenticated(fault_of(error)) from None
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise Unauthenticated(Fault.NO_ALGORITHM)
    return algorithm, header.get("kid")
