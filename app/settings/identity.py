"""Settings of authentication: keys, claims, and tenant IDs."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from app.settings import values
from app.settings.issuers import (
    TENANT_PLACEHOLDER,
    Algorithms,
    Audiences,
    ClaimName,
    IssuerList,
    IssuerName,
    RoleMapSetting,
)


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
    auth_plain_http_hosts: Annotated[str | None, AfterValidator(values.hosts)] = Field(
        default=None,
        description="Hosts, separated by spaces, whose keys may be fetched by plain `http`, besides the loopback. "
        "Whoever can change that traffic can forge any token, so name only hosts on a private network.",
    )
    auth_jwks_url: str | None = Field(
        default=None,
        description="Where the identity provider publishes its keys (JWKS): `https`, or `http` on the loopback. With "
        "a shared secret as well, tokens of both are accepted. With neither of them, the address is discovered from "
        "`AUTH_ISSUER` if that is a URL.",
    )
    auth_jwks_algorithms: Algorithms = Field(
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
    auth_issuer: IssuerName = Field(
        default="image-gateway",
        description="Value that the `iss` claim of a token must have, to the last slash. `{tenantid}` in it stands for "
        "the caller's tenant ID.",
    )
    auth_audience: Audiences = Field(
        default="image-gateway",
        description="Value that the audience claim of a token must have or contain; several are separated "
        "by spaces, and one of them is enough.",
    )
    auth_audience_claim: ClaimName = Field(
        default="aud",
        description="Claim that names the audience: `client_id` for the access tokens of Cognito, which have no `aud`.",
    )
    auth_tenant_claim: ClaimName = Field(
        default="tenant_id",
        description="Claim that holds the caller's tenant ID: a string, a list of one, or an object with one key. "
        "A claim inside another is named by a path such as `organization.id`.",
    )
    auth_roles_claim: ClaimName = Field(
        default="roles",
        description="Claim that holds the caller's roles, such as `realm_access.roles`: a list, one string of words, "
        "or the keys of an object. Known are `observer`, `creator`, `admin` and `operator`; others are ignored.",
    )
    auth_role_map: RoleMapSetting = Field(
        default=None,
        description="Roles of the gateway for words of the identity provider, such as `image-admins=admin "
        "image:share=observer,creator`, or a JSON object. With it, no other word counts, also not `operator`.",
    )
    auth_default_role: Literal["observer", "creator", "admin"] | None = Field(
        default=None, description="Role of callers whose token gives them none; unset, they are FORBIDDEN."
    )
    auth_subject_claim: ClaimName = Field(default="sub", description="Claim that names the user, for the logs only.")
    auth_issuers: IssuerList = Field(
        default=None,
        description="Further issuers, each with its own keys: a JSON list of objects with `issuer` and, where needed, "
        "`audience`, `audience_claim`, `jwks_url`, `jwks_algorithms`, `tenant_claim`, `tenant_id_pattern`, "
        "`roles_claim`, `role_map`, `default_role` and `subject_claim`. Each means what the setting of that name does.",
    )
    auth_leeway_seconds: Annotated[int, Field(ge=0, le=300)] = Field(
        default=10, description="Clock difference in seconds that is tolerated when the times of a token are checked."
    )
    tenant_id_pattern: Annotated[str, AfterValidator(values.regular_expression)] = Field(
        default="[0-9]{1,20}",
        description="Regular expression that a whole tenant ID must match. No tenant ID is longer than 255 characters "
        "or has quotes, backslashes or control characters.",
    )

    @field_validator("auth_secret", "auth_previous_secret", mode="before")
    @classmethod
    def _empty_secret_is_none(cls, secret: object) -> object:
        return None if secret == "" else secret

    @field_validator("auth_secret", "auth_previous_secret")
    @classmethod
    def _secret_is_long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 32:
            raise ValueError("must have at least 32 bytes; make one with: openssl rand -hex 32")
        return secret

    @field_validator("auth_jwks_url")
    @classmethod
    def _jwks_url_is_safe(cls, url: str | None, info: ValidationInfo) -> str | None:
        return None if url is None else values.safe_url_of_keys(url, _plain_hosts(info))

    @field_validator("auth_issuers")
    @classmethod
    def _keys_of_issuers_are_safe(cls, issuers: IssuerList, info: ValidationInfo) -> IssuerList:
        for entry in issuers or ():
            _require_safe_keys(entry.issuer, entry.jwks_url, _plain_hosts(info))
        return issuers


def _plain_hosts(info: ValidationInfo) -> list[str]:
    return str(info.data.get("auth_plain_http_hosts") or "").split()


def _require_safe_keys(issuer: str, jwks_url: str | None, plain_hosts: list[str]) -> None:
    if jwks_url is None and TENANT_PLACEHOLDER in issuer:
        raise ValueError(f"an issuer with {TENANT_PLACEHOLDER} needs a jwks_url")
    try:
        values.safe_url_of_keys(jwks_url or issuer, plain_hosts)
    except ValueError as error:
        raise ValueError(f"{'jwks_url' if jwks_url else 'the issuer, whose keys are discovered,'} {error}") from None
