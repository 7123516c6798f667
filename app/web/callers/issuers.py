"""The issuers that the settings trust: their policies and key servers, and whether the settings make sense."""

from collections.abc import Iterator

from app.errors import SetupError
from app.settings import PREFIX, Settings, values
from app.settings.issuers import IssuerSettings
from app.web.callers.key_set import Server
from app.web.callers.policy import TokenPolicy

# Settings of the first issuer alone. Each further one has its own.
_OF_FIRST_ISSUER = (
    "auth_issuer",
    "auth_audience",
    "auth_audience_claim",
    "auth_tenant_claim",
    "auth_roles_claim",
    "auth_role_map",
    "auth_default_role",
    "auth_subject_claim",
)
_OF_KEY_SETS = ("auth_jwks_algorithms", "auth_jwks_refresh_seconds", "auth_jwks_keep")


def first_issuer(settings: Settings) -> IssuerSettings:
    """The issuer that the AUTH_ settings describe, which is also that of the shared secret."""
    return IssuerSettings(
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        audience_claim=settings.auth_audience_claim,
        jwks_url=settings.auth_jwks_url,
        jwks_algorithms=settings.auth_jwks_algorithms,
        tenant_claim=settings.auth_tenant_claim,
        roles_claim=settings.auth_roles_claim,
        role_map=settings.auth_role_map,
        default_role=settings.auth_default_role,
        subject_claim=settings.auth_subject_claim,
    )


def has_first_issuer(settings: Settings) -> bool:
    return settings.auth_secret is not None or settings.auth_jwks_url is not None or _is_discovered(settings)


def trusted_issuers(settings: Settings) -> list[IssuerSettings]:
    """All issuers, the first one first."""
    further = settings.auth_issuers or ()
    return [first_issuer(settings), *further] if has_first_issuer(settings) else [*further]


def policy_for(entry: IssuerSettings, settings: Settings) -> TokenPolicy:
    return TokenPolicy(entry, settings.tenant_id_pattern, settings.auth_leeway_seconds)


def has_key_set(entry: IssuerSettings, settings: Settings) -> bool:
    """Whether an issuer publishes keys. The first one may have a shared secret alone."""
    is_secret_alone = settings.auth_secret is not None and entry == first_issuer(settings)
    return entry.jwks_url is not None or not is_secret_alone


def key_server(entry: IssuerSettings) -> Server:
    # The HTTP client is imported only where it is used.
    from app.web.callers.key_server import DiscoveredKeyServer, KeyServer

    return DiscoveredKeyServer(entry.issuer) if entry.jwks_url is None else KeyServer(entry.jwks_url)


def check_identity_settings(settings: Settings) -> None:
    """Raises SetupError if the identity settings are incomplete or contradict each other."""
    if (mistake := next(_mistakes(settings), None)) is not None:
        raise SetupError(mistake)


def _mistakes(settings: Settings) -> Iterator[str]:
    if settings.auth_secret is None and settings.auth_previous_secret is not None:
        yield "IMAGE_GATEWAY_AUTH_PREVIOUS_SECRET is set without IMAGE_GATEWAY_AUTH_SECRET. Set the new one."
    issuers = trusted_issuers(settings)
    if not issuers:
        yield (
            "There is no secret to check tokens with. Set IMAGE_GATEWAY_AUTH_SECRET to at least 32 random bytes, "
            "for example from: openssl rand -hex 32. Or set IMAGE_GATEWAY_AUTH_ISSUER to the URL of your identity "
            "provider, or IMAGE_GATEWAY_AUTH_JWKS_URL to its keys."
        )
    yield from _discovery_mistakes(settings)
    yield from _useless_settings(settings, issuers)
    if settings.auth_jwks_keep.total_seconds() < settings.auth_jwks_refresh_seconds:
        yield "IMAGE_GATEWAY_AUTH_JWKS_KEEP is shorter than IMAGE_GATEWAY_AUTH_JWKS_REFRESH_SECONDS."
    names = [entry.issuer for entry in issuers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"The issuer {name} is set twice. It may have several audiences, separated by spaces."


def _discovery_mistakes(settings: Settings) -> Iterator[str]:
    if not _is_discovered(settings):
        return
    if policy_for(first_issuer(settings), settings).is_template:
        yield "IMAGE_GATEWAY_AUTH_ISSUER has a placeholder for the tenant, so set IMAGE_GATEWAY_AUTH_JWKS_URL as well."
    try:
        values.safe_url_of_keys(settings.auth_issuer, (settings.auth_plain_http_hosts or "").split())
    except ValueError as error:
        yield f"IMAGE_GATEWAY_AUTH_ISSUER, whose keys are discovered, {error}."


def _useless_settings(settings: Settings, issuers: list[IssuerSettings]) -> Iterator[str]:
    if not any(has_key_set(entry, settings) for entry in issuers):
        for name in sorted(settings.model_fields_set.intersection(_OF_KEY_SETS)):
            yield f"{PREFIX}{name.upper()} has no effect without IMAGE_GATEWAY_AUTH_JWKS_URL."
    if not has_first_issuer(settings):
        for name in sorted(settings.model_fields_set.intersection(_OF_FIRST_ISSUER)):
            yield f"{PREFIX}{name.upper()} has no effect: each issuer in IMAGE_GATEWAY_AUTH_ISSUERS has its own."


def _is_discovered(settings: Settings) -> bool:
    """Whether the keys of the first issuer are discovered at its URL."""
    is_url = settings.auth_issuer.startswith(("https://", "http://"))
    return is_url and settings.auth_jwks_url is None and settings.auth_secret is None
