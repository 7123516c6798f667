"""Who is calling: what the gateway asks of an identity provider, and where a request carries its token."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast

import jwt
from pydantic import SecretStr

from app.errors import SetupError, Unauthenticated
from app.model import Caller, Role
from app.settings import Settings
from app.sharing import formats
from app.web.callers.faults import Fault
from app.web.callers.keys import Key

ALGORITHM = "HS256"


class Lease:
    """How long a caller who was let in may stay: `end` is called when the token's time is up, or cut short."""

    __slots__ = ("_end", "_forget", "_timer")

    def __init__(self, seconds: float, end: Callable[[], object], forget: Callable[["Lease"], None]) -> None:
        self._end = end
        self._forget = forget
        self._timer = asyncio.get_running_loop().call_later(max(0.0, seconds), end)

    def cut(self, seconds: float) -> None:
        """Let it end that soon."""
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def cancel(self) -> None:
        """The caller has left by itself."""
        self._timer.cancel()
        self._forget(self)


class IdentityProvider(Protocol):
    """What the gateway asks of an identity provider."""

    # A header, in small letters, whose whole value is a token, beside `Authorization: Bearer`.
    token_header: str | None

    def caller(self, token: str) -> Caller:
        """Whose token this is, at once. Raises KeyAwaited when `identify` has to be asked, TokenExpired when a fresh
        one would help, and Unauthenticated otherwise."""
        ...

    async def identify(self, token: str) -> Caller:
        """The same, after the wait for a new key if need be. Raises Unavailable when it can't be told just now."""
        ...

    def lease(self, token: str, end: Callable[[], object]) -> Lease:
        """Have `end` called when the token stops counting."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether it can tell who is calling."""
        ...

    @property
    def key_set_age(self) -> float | None:
        """Seconds since the key set was last had, infinite before that; None where there is none to be had."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class SharedSecret:
    """The secret of the settings, which signs and verifies, and the one before it, which still verifies."""

    def __init__(self, settings: Settings) -> None:
        if settings.auth_secret is None:
            others = "" if settings.auth_jwks_url is None else "; yours come from your identity provider"
            raise SetupError(
                f"There is no secret to sign tokens with{others}. Set IMAGE_GATEWAY_AUTH_SECRET to at least 32 random "
                "bytes, for example from: openssl rand -hex 32"
            )
        self._settings = settings
        self._secret = settings.auth_secret.get_secret_value()
        self.keys = tuple(_key(secret) for secret in (settings.auth_secret, settings.auth_previous_secret) if secret)
        if len(set(self.keys)) < len(self.keys):
            raise SetupError("IMAGE_GATEWAY_AUTH_PREVIOUS_SECRET is the same as IMAGE_GATEWAY_AUTH_SECRET. Unset it.")

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


def _key(secret: SecretStr) -> Key:
    material = secret.get_secret_value().encode()
    jwk = jwt.PyJWK({"kty": "oct", "k": urlsafe_b64encode(material).decode()}, ALGORITHM)
    try:
        jwk.Algorithm.prepare_key(jwk.key)
    except jwt.InvalidKeyError:
        raise SetupError("IMAGE_GATEWAY_AUTH_SECRET must be random bytes, not a key of another kind.") from None
    return Key(None, ALGORITHM, material, jwk)


def bearer(header: object) -> str | None:
    """The token of an Authorization value, None when there is no such value."""
    if header is None:
        return None
    scheme, _, token = header.partition(" ") if isinstance(header, str) else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(Fault.HEADER)
    return token.strip()


def header_token(headers: Mapping[str, str], token_header: str | None) -> str | None:
    """The token of a request: a bearer, or the value of the provider's own header."""
    token = bearer(headers.get("authorization"))
    if token is not None or token_header is None:
        return token
    own: object = headers.get(token_header)
    return own if isinstance(own, str) else None


def connection_token(params: Mapping[str, Any], handshake: Mapping[str, str], token_header: str | None) -> str | None:
    """The token of a WebSocket: from the payload of `connection_init`, its `headers`, or the handshake's headers.

    The first of them counts: a client can renew its payload, and a proxy may have its own use for the header.
    """
    inner: Any = params.get("headers")
    for given in (params, inner, handshake):
        if isinstance(given, Mapping):
            token = header_token(_lowered(cast(Mapping[str, Any], given)), token_header)
            if token is not None:
                return token
    return None


def _lowered(values: Mapping[str, Any]) -> Any:
    """The values by their names in small letters; null is as good as absent."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if value is not None:
            found.setdefault(name.lower(), value)
    return found
