"""Who is calling: a bearer token becomes a Caller."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from time import time
from typing import Any, Protocol, cast

import jwt

from app.errors import BadUserInput, SetupError, TokenExpired, Unauthenticated
from app.model import Caller, Role
from app.settings import Settings
from app.sharing import formats

ALGORITHM = "HS256"
MAX_TOKEN = 8_192
CACHED_TOKENS = 10_000
END_OF_TIME = int(datetime(9000, 1, 1, tzinfo=UTC).timestamp())


class IdentityProvider(Protocol):
    """The one thing that the gateway asks of an identity provider."""

    def caller(self, token: str) -> Caller:
        """Whose token this is. Raises TokenExpired when a fresh one would help, and Unauthenticated otherwise."""
        ...


class SharedSecret:
    """Tokens that are signed with the secret of the settings. Verified ones are remembered until they expire."""

    def __init__(self, settings: Settings) -> None:
        if settings.auth_secret is None:
            raise SetupError(
                "There is no secret to check tokens with. Set IMAGE_GATEWAY_AUTH_SECRET to at least 32 random bytes, "
                "for example from: openssl rand -hex 32"
            )
        self._settings = settings
        self._secret = settings.auth_secret.get_secret_value()
        self._verified = lru_cache(maxsize=CACHED_TOKENS)(self._verify)

    def caller(self, token: str) -> Caller:
        if len(token) > MAX_TOKEN:
            raise Unauthenticated("The token is too long.")
        caller, until = self._verified(token)
        if until <= time():
            raise TokenExpired("The token has expired. Get a fresh one.")
        return caller

    def mint(self, tenant_id: str, roles: frozenset[Role], ttl: timedelta, subject: str) -> str:
        """A token for development and for the demo."""
        settings, now = self._settings, datetime.now(UTC)
        claims = {
            settings.auth_tenant_claim: formats.tenant_id(tenant_id, settings.tenant_id_pattern),
            settings.auth_roles_claim: sorted(roles),
            settings.auth_subject_claim: subject,
            "iss": settings.auth_issuer,
            "aud": settings.auth_audience,
            "iat": now,
            "exp": now + ttl,
        }
        return jwt.encode(claims, self._secret, ALGORITHM)

    def _verify(self, token: str) -> tuple[Caller, float]:
        """Whose it is, and until when it counts, in seconds of Unix time."""
        settings = self._settings
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=settings.auth_audience,
                issuer=settings.auth_issuer,
                leeway=settings.auth_leeway_seconds,
                options={"require": ["exp", "aud", "iss"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired("The token has expired. Get a fresh one.") from None
        except (jwt.InvalidTokenError, OverflowError) as error:
            raise Unauthenticated(f"The token does not count: {error}.") from None
        caller = self._caller(claims)
        return caller, caller.expires_at.timestamp() + settings.auth_leeway_seconds

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        settings = self._settings
        tenant_id = claims.get(settings.auth_tenant_claim)
        try:
            formats.tenant_id(tenant_id if isinstance(tenant_id, str) else "", settings.tenant_id_pattern)
        except BadUserInput:
            raise Unauthenticated(f"The token has no tenant ID in {settings.auth_tenant_claim!r}.") from None
        roles = _roles(claims.get(settings.auth_roles_claim))
        if not roles:
            raise Unauthenticated(f"The token has no known role in {settings.auth_roles_claim!r}.")
        subject = claims.get(settings.auth_subject_claim)
        expires_at = datetime.fromtimestamp(min(int(claims["exp"]), END_OF_TIME), UTC)
        return Caller(str(tenant_id), roles, expires_at, None if subject is None else str(subject))


def _roles(claim: Any) -> frozenset[Role]:
    words: Any = claim.split() if isinstance(claim, str) else claim
    if not isinstance(words, list):
        return frozenset()
    return frozenset(role for role in Role if role in cast(list[Any], words))


def bearer(header: object) -> str | None:
    """The token of an Authorization value, None when there is no such value."""
    if header is None:
        return None
    scheme, _, token = str(header).partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("The Authorization value must be: Bearer <token>.")
    return token.strip()


def from_connection_params(params: Mapping[str, Any]) -> str | None:
    """The token in the payload of `connection_init`, its key in any case."""
    return next((bearer(value) for name, value in params.items() if name.lower() == "authorization"), None)
