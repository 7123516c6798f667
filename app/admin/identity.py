"""Checks the identity settings: whether each trusted issuer has keys."""

from collections.abc import AsyncIterator

from app.admin.findings import Check, Result, fail, note, ok
from app.errors import SetupError
from app.settings import Settings
from app.settings.issuers import IssuerSettings
from app.web.callers import issuers
from app.web.callers.key_index import KeyIndex
from app.web.callers.keys import NoKeys, parse_keys


async def check_identity(settings: Settings) -> AsyncIterator[Check]:
    """Check how tokens are verified: by Keystone, or by the secret and keys of the trusted issuers."""
    if settings.upstream is not None:
        # The HTTP client is imported only where it is used.
        from app.admin import clouds

        async for check in clouds.check_cloud(settings):
            yield check
        return
    yield (tokens := check_settings(settings))
    if tokens.result is not Result.OK:
        return
    if "://" in settings.auth_issuer and not issuers.has_key_set(issuers.first_issuer(settings), settings):
        found = "AUTH_SECRET is set, so only tokens that it has signed count, and none by keys of AUTH_ISSUER"
        yield note("issuer", found, "To have its keys discovered, unset IMAGE_GATEWAY_AUTH_SECRET.")
    for entry in (trusted := issuers.trusted_issuers(settings)):
        _, keys = await fetch_keys(entry, settings, "keys" if len(trusted) == 1 else f"keys of {entry.issuer}")
        if keys is not None:
            yield keys


def check_settings(settings: Settings) -> Check:
    try:
        issuers.check_identity_settings(settings)
    except SetupError as error:
        return fail(
            "tokens",
            str(error).removesuffix("."),
            "Until then no caller can be identified, and `serve` refuses to start.",
        )
    with_keys = [entry for entry in issuers.trusted_issuers(settings) if issuers.has_key_set(entry, settings)]
    secret = None if settings.auth_secret is None else "a shared secret"
    return ok("tokens", f"they are verified by {' or '.join(filter(None, (secret, *map(_source, with_keys))))}")


async def fetch_keys(
    entry: IssuerSettings, settings: Settings, name: str = "keys"
) -> tuple[KeyIndex | None, Check | None]:
    """The published keys of an issuer, and the check that they could be fetched; nothing for a secret alone."""
    if not issuers.has_key_set(entry, settings):
        return None, None
    server, algorithms = issuers.key_server(entry), entry.jwks_algorithms.split()
    template = entry.issuer if issuers.policy_for(entry, settings).is_template else None
    try:
        found = parse_keys(await server.fetch(), algorithms, template)
    except NoKeys as problem:
        setting = "the issuer" if entry.jwks_url is None else "IMAGE_GATEWAY_AUTH_JWKS_URL"
        advice = f"Check {setting} and that server; until it responds, its keys verify no token."
        return KeyIndex(frozenset(), algorithms), fail(name, f"{server.url} gives none: {problem}", advice)
    finally:
        await server.close()
    count = len({key.material for key in found})
    return KeyIndex(found, algorithms), ok(name, f"{server.url} gives {count} usable keys")


def _source(entry: IssuerSettings) -> str:
    return f"the keys at {entry.jwks_url}" if entry.jwks_url else f"the keys that {entry.issuer} names"
