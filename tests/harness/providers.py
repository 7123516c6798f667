"""Identity providers: the claims of their tokens and the form of their key sets, as each documents them."""

import json
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.harness.issuer import SigningKey, claims_for, signing_key
from tests.harness.readme import block

KEY = signing_key("of the provider")
ENTRA = "https://login.microsoftonline.com"
TID = "b7f3c7a2-0d4c-4a6e-9b7a-1f0c2d3e4f50"
USER = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
GRANTED = {"227182935000000001": "acme.example.zitadel.cloud"}


class Provider(NamedTuple):
    """The claims of an admin's token and what they mean, and changes that take the role or the audience away."""

    claims: Mapping[str, Any]
    tenant_id: str
    subject: str
    roleless: Mapping[str, Any]
    foreign: Mapping[str, Any]
    key_fields: Mapping[str, Any] = {}
    roles: tuple[str, ...] = ("admin",)

    def token(self, key: SigningKey = KEY, **changes: Any) -> str:
        times = {name: value for name, value in claims_for().items() if name in ("iat", "exp")}
        claims = {**times, **self.claims, **changes}
        return key.token({name: value for name, value in claims.items() if value is not None})


def _keycloak(organization: Any) -> Provider:
    claims = {
        "iss": "https://id.example.org/realms/main",
        "aud": ["image-gateway", "account"],
        "sub": USER,
        "typ": "Bearer",
        "azp": "console",
        "acr": "1",
        "scope": "openid email organization",
        "realm_access": {"roles": ["offline_access", "default-roles-main", "uma_authorization", "image-admin"]},
        "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}},
        "organization": organization,
    }
    others = {"realm_access": {"roles": ["offline_access", "admin", "operator"]}}
    return Provider(claims, "acme", USER, others, {"aud": "account"}, {"x5c": ["MIIC"], "x5t#S256": "uE1"})


PROVIDERS: dict[str, Provider] = {
    "keycloak": _keycloak(["acme"]),
    "keycloak with a map": _keycloak({"acme": {"id": "42c3e46f-2477-44d7-a85b-d3b43f6b31fa", "domain": ["acme.org"]}}),
    "auth0": Provider(
        {
            "iss": "https://example.eu.auth0.com/",
            "aud": ["https://images.example.org", "https://example.eu.auth0.com/userinfo"],
            "sub": "auth0|123456",
            "azp": "my_client_id",
            "scope": "openid profile",
            "permissions": ["images:manage", "other:thing"],
            "https://example.org/tenant": "acme_Ltd",
        },
        "acme_Ltd",
        "auth0|123456",
        {"permissions": ["admin"]},
        {"aud": ["https://example.eu.auth0.com/userinfo"]},
        {"x5c": ["MIIC"], "x5t": "uE1"},
    ),
    "okta": Provider(
        {
            "ver": 1,
            "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
            "iss": "https://example.okta.com/oauth2/default",
            "aud": "api://images",
            "cid": "nmdP1fcyvdVO11AL7ECm",
            "uid": "00ujmkLgagxeRrAg20g3",
            "scp": ["openid"],
            "sub": "someone@example.org",
            "groups": ["Everyone", "Image Admins"],
            "tenant": "acme",
        },
        "acme",
        "00ujmkLgagxeRrAg20g3",
        {"groups": ["Everyone", "admin"]},
        {"aud": "api://default"},
    ),
    "entra": Provider(
        {
            "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
            "iss": f"{ENTRA}/{TID}/v2.0",
            "azp": USER,
            "oid": USER,
            "tid": TID,
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
            "roles": ["Images.Manage"],
            "scp": "access_as_user",
            "ver": "2.0",
        },
        TID,
        USER,
        {"roles": ["admin"]},
        {"aud": "00000003-0000-0000-c000-000000000000"},
        {"alg": None, "issuer": f"{ENTRA}/{{tenantid}}/v2.0", "x5c": ["MIIC"]},
    ),
    "cognito": Provider(
        {
            "sub": USER,
            "cognito:groups": ["eu-west-1_EXAMPLE_Google", "image-admins"],
            "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE",
            "version": 2,
            "client_id": "1example23456789",
            "token_use": "access",
            "scope": "aws.cognito.signin.user.admin",
            "username": "my-user",
            "tenant_id": "012345678901",
        },
        "012345678901",
        "my-user",
        {"cognito:groups": ["admin"]},
        {"client_id": None, "aud": "1example23456789", "token_use": "id"},
    ),
    "zitadel": Provider(
        {
            "iss": "https://example.zitadel.cloud",
            "aud": ["227182935111111111", "227182935123456789"],
            "sub": "227182935222222222",
            "jti": "227182935333333333",
            "urn:zitadel:iam:user:resourceowner:id": "227182935000000001",
            "urn:zitadel:iam:user:resourceowner:name": "Acme",
            "urn:zitadel:iam:org:project:roles": {"image-admin": GRANTED, "other": GRANTED},
        },
        "227182935000000001",
        "227182935222222222",
        {"urn:zitadel:iam:org:project:roles": {"image-admin": {"1": "b.example"}, "admin": GRANTED}},
        {"aud": ["227182935111111111"]},
    ),
    "dex": Provider(
        {
            "iss": "https://dex.example.org",
            "sub": "CgcyMzQyNzQ5EgZnaXRodWI",
            "aud": "image-console",
            "at_hash": "fqKuYgqyRFeNTmhTOmd4Gw",
            "email": "someone@example.org",
            "email_verified": True,
            "groups": ["everybody@example.org", "image-admins@example.org"],
            "federated_claims": {"connector_id": "acme", "user_id": "1234"},
        },
        "acme",
        "CgcyMzQyNzQ5EgZnaXRodWI",
        {"groups": ["admin", "operator"]},
        {"aud": "other-app"},
    ),
    "google": Provider(
        {
            "iss": "https://accounts.google.com",
            "azp": "1234567890-example.apps.googleusercontent.com",
            "aud": "1234567890-example.apps.googleusercontent.com",
            "sub": "110169484474386276334",
            "hd": "example.org",
            "email": "someone@example.org",
            "email_verified": True,
        },
        "example.org",
        "110169484474386276334",
        {},
        {"aud": "987-other.apps.googleusercontent.com"},
        roles=("creator",),
    ),
    "scope": Provider(
        {
            "iss": "https://auth.example.org",
            "aud": "https://images.example.org",
            "sub": "5ba552d67",
            "client_id": "s6BhdRkqt3",
            "scope": "openid image:share image:manage",
            "tenant_id": "1001",
        },
        "1001",
        "5ba552d67",
        {"scope": "openid admin operator"},
        {"aud": "https://other.example.org"},
        roles=("admin", "creator", "observer"),
    ),
}


def documented_settings(name: str) -> dict[str, str]:
    """The variables in a provider's block of the operators' guide."""
    lines = shlex.split(block(f"provider: {name.partition(' ')[0]}"))
    return dict(line.split("=", 1) for line in lines)


def published(name: str) -> dict[str, bytes]:
    """The documents that a provider serves, by their URLs: its key set, and the metadata that names it."""
    provider, variables = PROVIDERS[name], documented_settings(name)
    issuer = variables["IMAGE_GATEWAY_AUTH_ISSUER"]
    url = variables.get("IMAGE_GATEWAY_AUTH_JWKS_URL", f"{issuer.removesuffix('/')}/keys")
    keys = [KEY.public_jwk(**provider.key_fields), KEY.public_jwk(kid="other", use="enc", alg="RSA-OAEP")]
    metadata = {"issuer": issuer, "jwks_uri": url, "id_token_signing_alg_values_supported": ["RS256"]}
    return {
        f"{issuer.removesuffix('/')}/.well-known/openid-configuration": json.dumps(metadata).encode(),
        url: json.dumps({"keys": keys}).encode(),
    }
