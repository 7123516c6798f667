"""Settings of authentication: keys, claims, and tenant IDs."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from app.settings import values


class IdentitySettings(BaseSettings):
    """Settings of authentication: keys, claims, and tenant IDs."""

    auth_secret: SecretStr | None = Field(
        default=None,
        description="Shared secret (HS256) that signs the bearer tokens, at least 32 bytes. "
        "This or a key set is required, except with `serve --demo`.",
    )
    auth_previous_secret: SecretStr | None = Field(
        default=None,
        description="The previous shared secret: tokens that it has signed are still accepted, but it signs no new "
        "ones.",
    )
    auth_jwks_url: str | None = Field(
        default=None,
        description="Where the identity provider publishes its keys (JWKS): `https`, or `http` on the loopback. With "
        "a shared secret as well, tokens of both are accepted.",
    )
    auth_jwks_algorithms: str = Field(
        default="RS256 ES256 EdDSA",
        description="Signature algorithms that the keys of the key set may be used with: words among `RS256` `RS384` "
        "`RS512` `PS256` `PS384` `PS512` `ES256` `ES384` `ES512` `EdDSA`.",
    )
    auth_jwks_refresh_seconds: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=300,
        description="Seconds between two fetches of the key set, and so until a withdrawn key is rejected. If a "
        "token's key is missing, the key set is fetched within 3 seconds.",
    )
    auth_jwks_keep: Annotated[timedelta, BeforeValidator(values.duration), Field(gt=timedelta(0))] = Field(
        default=timedelta(days=1),
        description="How long the known keys stay valid while the key set can't be fetched: an ISO 8601 duration, or "
        "seconds.",
    )
    auth_issuer: str = Field(default="image-gateway", description="Value that the `iss` claim of a token must have.")
    auth_audience: str = Field(
        default="image-gateway", description="Value that the `aud` claim of a token must have or contain."
    )
    auth_tenant_claim: str = Field(default="tenant_id", description="Claim that holds the caller's tenant ID.")
    auth_roles_claim: str = Field(
        default="roles",
        description="Claim that holds the caller's roles: a list, or one string of words. "
        "Known are `observer`, `creator`, `admin` and `operator`; others are ignored.",
    )
    auth_subject_claim: str = Field(default="sub", description="Claim that names the user, for the logs only.")
    auth_leeway_seconds: Annotated[int, Field(ge=0, le=300)] = Field(
        default=10, description="Clock difference in seconds that is tolerated when the times of a token are checked."
    )
    tenant_id_pattern: str = Field(
        default="[0-9]{1,20}",
        description="Regular expression that a whole tenant ID must match. "
        "One that could match the form of a UUID is refused, since node IDs would be ambiguous.",
    )

    @field_validator("auth_secret", "auth_previous_secret")
    @classmethod
    def _secret_is_long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 32:
            raise ValueError("must have at least 32 bytes; make one with: openssl rand -hex 32")
        return secret

    @field_validator("auth_jwks_url")
    @classmethod
    def _jwks_url_is_safe(cls, url: str | None) -> str | None:
        return None if url is None else values.safe_url_of_keys(url)

    @field_validator("auth_jwks_algorithms")
    @classmethod
    def _algorithms_are_known(cls, words: str) -> str:
        return values.asymmetric_algorithms(words)

    @field_validator("tenant_id_pattern")
    @classmethod
    def _pattern_is_apart_from_uuids(cls, pattern: str) -> str:
        return values.apart_from_uuids(pattern)
