"""Tokens of well-known identity providers, by the settings that the operators' guide documents for each."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.errors import NoRole, SetupError, Unauthenticated
from app.settings import Settings
from app.web.callers.key_server import KeyServer
from app.web.callers.tokens import Tokens
from tests.harness.issuer import claims_for, shared_secret, signing_key
from tests.harness.providers import ENTRA, KEY, PROVIDERS, TID, documented_settings, published

PARTNER = "https://partner.okta.com/oauth2/default"
MAIN = "https://id.example.org/realms/main"
PARTNER_KEY = signing_key("of the partner")


@asynccontextmanager
async def run_tokens(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], documents: dict[str, bytes]
) -> AsyncGenerator[Tokens]:
    """The verification of tokens with these variables, whose key servers serve these documents."""

    async def get(self: KeyServer, url: str) -> bytes:
        return documents[url]

    monkeypatch.setattr(KeyServer, "_get", get)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    tokens = Tokens(Settings.load())
    await tokens.start()
    try:
        for key_set in tokens._key_sets:
            await key_set.wait_for_fetch()
        yield tokens
    finally:
        await tokens.stop()


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_token_of_the_provider_counts_by_the_documented_settings(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    provider = PROVIDERS[name]
    async with run_tokens(monkeypatch, documented_settings(name), published(name)) as tokens:
        caller = tokens.caller(provider.token())
        assert (caller.tenant_id, caller.subject) == (provider.tenant_id, provider.subject)
        assert sorted(caller.roles) == sorted(provider.roles)

        if provider.roleless:
            with pytest.raises(NoRole):
                tokens.caller(provider.token(**provider.roleless))
        for token in (
            provider.token(**provider.foreign),
            provider.token(iss=f"{provider.claims['iss']}x"),
            provider.token(iss=None),
            provider.token(signing_key(KEY.id, bits=2_056)),
            shared_secret(KEY.public_bytes()).token(dict(provider.claims), kid=KEY.id),
        ):
            with pytest.raises(Unauthenticated) as refused:
                tokens.caller(token)
            assert not isinstance(refused.value, NoRole)


OTHERS = ("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", f"{TID}/v2.0/../{TID}", TID.upper(), "{tenantid}", None)


@pytest.mark.parametrize(
    "changes",
    [
        *({"tid": other} for other in OTHERS),
        {"iss": f"{ENTRA}/{{tenantid}}/v2.0"},
        {"iss": f"{ENTRA}/{TID}/v2.0/"},
        {"iss": f"{ENTRA}//v2.0"},
    ],
)
async def test_an_issuer_of_a_tenant_speaks_for_that_tenant_only(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    async with run_tokens(monkeypatch, documented_settings("entra"), published("entra")) as tokens:
        with pytest.raises(Unauthenticated):
            tokens.caller(PROVIDERS["entra"].token(**changes))


async def test_keys_that_name_the_issuer_of_one_tenant_verify_no_tokens_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables, own = documented_settings("entra"), signing_key("of one tenant")
    members = [KEY.public_jwk(alg=None), own.public_jwk(alg=None, issuer=f"{ENTRA}/{TID}/v2.0")]
    documents = {variables["IMAGE_GATEWAY_AUTH_JWKS_URL"]: json.dumps({"keys": members}).encode()}
    async with run_tokens(monkeypatch, variables, documents) as tokens:
        assert tokens.caller(PROVIDERS["entra"].token()).tenant_id == TID
        with pytest.raises(Unauthenticated):
            tokens.caller(PROVIDERS["entra"].token(own))


def partner_claims(**changes: Any) -> dict[str, Any]:
    claims: dict[str, Any] = {
        "iss": PARTNER,
        "aud": "api://images",
        "tenant": "7001",
        "groups": ["Image Admins"],
        "tenant_id": "1",
    }
    return claims_for(**{**claims, **changes})


def own_claims(**changes: Any) -> dict[str, Any]:
    roles = {"roles": ["image-support"]}
    own: dict[str, Any] = {"iss": MAIN, "aud": "image-console", "realm_access": roles}
    return claims_for("1001", **{**own, **changes})


async def test_each_issuer_has_its_own_keys_audience_claims_and_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = documented_settings("several")
    documents: dict[str, bytes] = {}
    for issuer, key in ((MAIN, KEY), (PARTNER, PARTNER_KEY)):
        metadata = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"}
        documents[f"{issuer}/.well-known/openid-configuration"] = json.dumps(metadata).encode()
        documents[f"{issuer}/keys"] = json.dumps({"keys": [key.public_jwk(kid="same")]}).encode()
    async with run_tokens(monkeypatch, variables, documents) as tokens:
        own = tokens.caller(KEY.token(own_claims(), kid="same"))
        partner = tokens.caller(PARTNER_KEY.token(partner_claims(), kid="same"))
        assert (own.tenant_id, sorted(own.roles)) == ("1001", ["operator"])
        assert (partner.tenant_id, sorted(partner.roles)) == ("7001", ["admin"])

        for key, claims in (
            (PARTNER_KEY, own_claims()),
            (KEY, partner_claims()),
            (PARTNER_KEY, partner_claims(aud="image-console")),
            (PARTNER_KEY, partner_claims(tenant="1001")),
            (PARTNER_KEY, partner_claims(groups=["image-support"])),
            (PARTNER_KEY, partner_claims(realm_access={"roles": ["image-support"]}, groups=[])),
            (PARTNER_KEY, partner_claims(iss="https://other.example.org")),
            (PARTNER_KEY, partner_claims(iss=[PARTNER])),
        ):
            with pytest.raises(Unauthenticated):
                tokens.caller(key.token(claims, kid="same"))


MISTAKES = {
    "two audiences with a comma": ({"auth_audience": "a,b"}, "a space between them"),
    "two issuers": ({"auth_issuer": "https://a.example.org https://b.example.org"}, "AUTH_ISSUERS"),
    "another placeholder": ({"auth_issuer": "https://a.example.org/{tid}"}, "{tenantid} once"),
    "two claims": ({"auth_roles_claim": "roles,groups"}, "must name one claim"),
    "a map without roles": ({"auth_role_map": "image-admins"}, "not a word of the identity provider"),
    "a map with commas between its entries": ({"auth_role_map": "a=observer,b=admin"}, "put spaces between them"),
    "a map with a word twice": ({"auth_role_map": "a=admin a=observer"}, "names a twice"),
    "an audience in quotes": ({"auth_audience": '"a"'}, "quotes or brackets"),
    "an empty issuer": ({"auth_issuer": ""}, "must be one issuer"),
    "an issuer in quotes": ({"auth_issuer": '"https://id.example.org"'}, "must not be in quotes"),
    "a map to a role that does not exist": ({"auth_role_map": "a=emperor"}, "AUTH_ROLE_MAP: .*operator"),
    "an empty map": ({"auth_role_map": "{}"}, "must map a word"),
    "a default role that is too much": ({"auth_default_role": "operator"}, "AUTH_DEFAULT_ROLE"),
    "a host with a port": ({"auth_plain_http_hosts": "keys:8080"}, "without scheme, port"),
    "issuers that are no list": ({"auth_issuers": "{}"}, "a JSON list of objects"),
    "issuers that are no JSON": ({"auth_issuers": "["}, "is not JSON"),
    "an issuer without its name": ({"auth_issuers": '[{"audience": "a"}]'}, "Field required.*0.issuer"),
    "an issuer with an unknown key": ({"auth_issuers": '[{"issuer": "https://a.org", "secret": "x"}]'}, "0.secret"),
    "an issuer by plain http": ({"auth_issuers": '[{"issuer": "http://a.org"}]'}, "AUTH_PLAIN_HTTP_HOSTS"),
    "an issuer twice": (
        {"auth_issuer": "https://a.org", "auth_issuers": '[{"issuer": "https://a.org"}]'},
        "is set twice",
    ),
    "a template without keys": ({"auth_issuers": '[{"issuer": "https://a.org/{tenantid}"}]'}, "needs a jwks_url"),
    "discovery at a template": ({"auth_issuer": "https://a.org/{tenantid}"}, "set IMAGE_GATEWAY_AUTH_JWKS_URL"),
    "discovery by plain http": ({"auth_issuer": "http://a.org"}, "AUTH_ISSUER, whose keys are discovered, must be"),
}


@pytest.mark.parametrize(
    "given",
    [
        {"auth_jwks_url": "http://keys.internal:8080/jwks"},
        {"auth_issuer": "http://keys.internal/realms/main"},
        {"auth_issuers": '[{"issuer": "http://keys.internal"}]'},
    ],
)
def test_keys_come_by_plain_http_from_a_named_host_only(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    for setting, value in given.items():
        monkeypatch.setenv(f"IMAGE_GATEWAY_{setting.upper()}", value)
    monkeypatch.setenv("IMAGE_GATEWAY_AUTH_PLAIN_HTTP_HOSTS", "internal xkeys.internal keys.internal.example.org")
    with pytest.raises(SetupError, match="must be https"):
        Tokens(Settings.load())

    monkeypatch.setenv("IMAGE_GATEWAY_AUTH_PLAIN_HTTP_HOSTS", "10.0.0.7 keys.internal")
    assert not Tokens(Settings.load()).is_ready


@pytest.mark.parametrize("name", MISTAKES)
def test_settings_that_cannot_be_meant_are_refused_with_what_to_write_instead(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    given, sentence = MISTAKES[name]
    for setting, value in given.items():
        monkeypatch.setenv(f"IMAGE_GATEWAY_{setting.upper()}", value)

    with pytest.raises(SetupError, match=sentence):
        Tokens(Settings.load())
