"""Settings of one trusted issuer, and the list of further issuers in AUTH_ISSUERS."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic_settings import NoDecode

from app.settings import values

# Stands for the caller's tenant ID in an issuer. Entra ID writes its own template like this.
TENANT_PLACEHOLDER = "{tenantid}"
RoleName = Literal["observer", "creator", "admin", "operator"]
RoleMap = Mapping[str, tuple[RoleName, ...]]
_SEVERAL = re.compile(r"[\s,;]")
_NOT_IN_A_WORD = re.compile(r"[\"'\[\]{},;|]")


def _one_issuer(issuer: str) -> str:
    if issuer.startswith(('"', "'")):
        raise ValueError("must not be in quotes")
    if not issuer or _SEVERAL.search(issuer):
        raise ValueError(
            "must be one issuer, as the `iss` claim has it; list further ones in IMAGE_GATEWAY_AUTH_ISSUERS"
        )
    if issuer.count(TENANT_PLACEHOLDER) > 1 or set("{}") & set(issuer.replace(TENANT_PLACEHOLDER, "")):
        raise ValueError(f"may contain {TENANT_PLACEHOLDER} once, and no other braces")
    return issuer


def _audiences(listed: object) -> object:
    words = " ".join(cast(list[str], listed)) if isinstance(listed, list) else listed
    if isinstance(words, str) and (not words.split() or _NOT_IN_A_WORD.search(words)):
        raise ValueError(
            "must be one audience, or several with a space between them, without commas, quotes or brackets"
        )
    return words


def _one_claim(name: str) -> str:
    if not name or _SEVERAL.search(name):
        raise ValueError("must name one claim, such as roles or realm_access.roles")
    return name


def _role_map(mapping: object) -> object:
    """A role map from words such as `image-admins=admin`, or from a JSON object for names with spaces."""
    if isinstance(mapping, str):
        mapping = values.json_value(mapping) if mapping.lstrip().startswith("{") else _entries(mapping.split())
    if not mapping:
        raise ValueError("must map a word, such as image-admins=admin; leave it unset to use the words as they are")
    if not isinstance(mapping, dict):
        return mapping
    entries = cast(dict[str, Any], mapping)
    return {word: tuple(roles.split(",")) if isinstance(roles, str) else roles for word, roles in entries.items()}


def _entries(texts: list[str]) -> dict[str, str]:
    entries = [_entry(text) for text in texts]
    for word, _ in entries:
        if [one for one, _ in entries].count(word) > 1:
            raise ValueError(f"names {word} twice; give it all of its roles at once, with commas between them")
    return dict(entries)


def _entry(text: str) -> tuple[str, str]:
    word, _, roles = text.rpartition("=")
    if not word or not roles:
        raise ValueError(f"{text!r} is not a word of the identity provider, =, and roles with commas between them")
    if "=" in word and "," in word:
        raise ValueError(f"{text!r} has several entries; put spaces between them, or use a JSON object")
    return word, roles


def _pattern(pattern: str | None) -> str | None:
    return None if pattern is None else values.regular_expression(pattern)


IssuerName = Annotated[str, AfterValidator(_one_issuer)]
Audiences = Annotated[str, BeforeValidator(_audiences)]
ClaimName = Annotated[str, AfterValidator(_one_claim)]
Algorithms = Annotated[str, AfterValidator(values.asymmetric_algorithms)]
RoleMapSetting = Annotated[
    RoleMap | None, NoDecode, BeforeValidator(lambda text: text if text is None else _role_map(text))
]


class IssuerSettings(BaseModel):
    """One trusted issuer: an entry of AUTH_ISSUERS. The defaults are those of the AUTH_ settings of the same names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: IssuerName
    audience: Audiences = "image-gateway"
    audience_claim: ClaimName = "aud"
    jwks_url: str | None = None
    jwks_algorithms: Algorithms = "RS256 ES256 EdDSA"
    tenant_claim: ClaimName = "tenant_id"
    tenant_id_pattern: Annotated[str | None, AfterValidator(_pattern)] = None
    roles_claim: ClaimName = "roles"
    role_map: RoleMapSetting = None
    default_role: Literal["observer", "creator", "admin"] | None = None
    subject_claim: ClaimName = "sub"


def _issuer_list(listed: object) -> object:
    entries = values.json_value(listed) if isinstance(listed, str) else listed
    if entries is not None and (not isinstance(entries, list | tuple) or not entries):
        raise ValueError('must be a JSON list of objects, such as [{"issuer": "https://id.example.org"}]')
    return cast(object, entries)


IssuerList = Annotated[tuple[IssuerSettings, ...] | None, NoDecode, BeforeValidator(_issuer_list)]
