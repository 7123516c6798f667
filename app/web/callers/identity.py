"""The interface of identity providers, the shared secret, and where requests carry their tokens."""

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
from app.web.callers.issuers import first_issuer, policy_for, trusted_issuers
from app.web.callers.keys import Key

ALGORITHM = "HS256"


class Lease:
    """A timer on a caller's connection: calls `end` when the token expires or is revoked."""

    __slots__ = ("_end", "_forget", "_timer")

    def __init__(self, seconds: float, end: Callable[[], object], forget: Callable[["Lease"], None]) -> None:
        self._end = end
        self._forget = forget
        self._timer = asyncio.get_running_loop().call_later(max(0.0, seconds), end)

    def cut(self, seconds: float) -> None:
        """End the lease after so many seconds instead."""
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def cancel(self) -> None:
        """Cancel the lease, since the caller has disconnected."""
        self._timer.cancel()
        self._forget(self)


class IdentityProvider(Protocol):
    """Turns tokens into callers."""

    # Name, in lower case, of a header whose whole value is a token; accepted beside `Authorization: Bearer`.
    token_header: str | None

    def caller(self, token: str) -> Caller:
        """The caller of a token, without I/O.

        Raises KeyAwaited if `identify` has to be called, TokenExpired if a fresh token would help, and otherwise
        Unauthenticated.
        """
        ...

    async def identify(self, token: str) -> Caller:
        """The caller of a token, fetching keys first if necessary. Raises Unavailable if they can't be fetched."""
        ...

    def lease(self, token: str, end: Callable[[], object]) -> Lease:
        """Call `end` when the token expires or is revoked."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether callers can be identified."""
        ...

    @property
    def key_set_age(self) -> float | None:
        """Seconds since the key set was last fetched, infinite before the first fetch; None without a key set."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class SharedSecret:
    """The shared secret, which signs and verifies tokens, and the previous one, which only verifies them."""

    def __init__(self, settings: Settings) -> None:
        if settings.auth_secret is None:
            others = "; yours come from your identity provider" if trusted_issuers(settings) else ""
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
        """Sign a token, for development and for the demo."""
        settings, now = self._settings, datetime.now(UTC)
        policy = policy_for(first_issuer(settings), settings)
        claims = {
            settings.auth_tenant_claim: formats.tenant_id(tenant_id, settings.tenant_id_pattern),
            settings.auth_roles_claim: policy.words_for(roles),
            settings.auth_subject_claim: subject,
            "iss": policy.issuer_of_tenant(tenant_id),
            settings.auth_audience_claim: settings.auth_audience.split()[0],
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
    """The token in the value of an Authorization header, or None without a header."""
    if header is None:
        return None
    scheme, _, token = header.partition(" ") if isinstance(header, str) else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(Fault.HEADER)
    return token.strip()


def header_token(headers: Mapping[str, str], token_header: str | None) -> str | None:
    """The token of a request: its bearer token, or the value of the identity provider's own header."""
    token = bearer(headers.get("authorization"))
    if token is not None or token_header is None:
        return token
    own: object = headers.get(token_header)
    return own if isinstance(own, str) else None


def connection_token(params: Mapping[str, Any], handshake: Mapping[str, str], token_header: str | None) -> str | None:
    """The token of a WebSocket: from the payload of `connection_init`, its `headers`, or the handshake's headers.

    The payload takes precedence: a client can renew it, and a proxy may use the handshake's header for itself.
    """
    inner: Any = params.get("headers")
    for source in (params, inner, handshake):
        if isinstance(source, Mapping):
            token = header_token(_lower_case_names(cast(Mapping[str, Any], source)), token_header)
            if token is not None:
                return token
    return None


def _lower_case_names(values: Mapping[str, Any]) -> Any:
    """The values by their names in lower case, without nulls."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if value is not None:
            found.setdefault(name.lower(), value)
    return found
