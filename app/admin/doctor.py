"""`image-gateway doctor`: checks the installation, and says how to fix what is wrong."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer

from app import logs
from app.admin import machine, stores
from app.admin.findings import Check, Result, fail, ok
from app.api.schema import build_schema
from app.command import Database
from app.documents.manifest import trusted_documents
from app.errors import SetupError
from app.settings import Settings
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.web.callers.issuers import check_identity_settings
from app.web.callers.keys import NoKeys, parse_keys

MARKS = {Result.OK: "ok   ", Result.NOTE: "note ", Result.FAIL: "FAIL "}


def doctor(
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON, for programs.")] = False,
) -> None:
    """Check settings, store, migrations, clocks and limits, and say what to do. Exits with 1 if a check fails."""
    checks = asyncio.run(_run_checks(database))
    if as_json:
        typer.echo(json.dumps([check._asdict() for check in checks], indent=2))
    else:
        for check in checks:
            typer.echo(f"{MARKS[check.result]} {check.name}: {check.found}.")
            if check.advice:
                typer.echo(f"      -> {check.advice}")
    sys.exit(any(check.result is Result.FAIL for check in checks))


async def _run_checks(database: str | None) -> list[Check]:
    return [check async for check in _checks(database)]


async def _checks(database: str | None) -> AsyncIterator[Check]:
    try:
        settings = Settings.load(database_url=database)
        url = parse_url(settings.database_url)
    except SetupError as error:
        yield fail("settings", str(error).removesuffix("."), "Correct it; docker/README.md lists the settings.")
        return
    yield ok("settings", "every IMAGE_GATEWAY_ variable is known and valid")
    async for check in _check_identity(settings):
        yield check
    if settings.documents_path is not None or settings.documents_mode == "only":
        yield _documents(settings)
    yield machine.file_limit(settings)
    logs.configure(settings)
    path = _file(url.database) if url.get_backend_name() == "sqlite" else None
    if path is not None:
        found = list(machine.check_embedded_store(path))
        for check in found:
            yield check
        # A file that is missing or unreadable has nothing more to check, and opening it would create it.
        if not path.exists() or any(check.result is Result.FAIL for check in found if check.name == "store file"):
            return
    async for check in _check_store(settings):
        yield check


async def _check_identity(settings: Settings) -> AsyncIterator[Check]:
    """Check the identity provider: Keystone, or the secret and keys with which the gateway verifies tokens itself."""
    if settings.upstream is not None:
        # The HTTP client is imported only where it is used.
        from app.admin import clouds

        async for check in clouds.check_cloud(settings):
            yield check
        return
    yield (tokens := _tokens(settings))
    if settings.auth_jwks_url is not None and tokens.result is Result.OK:
        yield await _keys(settings)


def _file(database: str | None) -> Path:
    return Path(database or "").absolute()


def _tokens(settings: Settings) -> Check:
    try:
        check_identity_settings(settings)
    except SetupError as error:
        return fail(
            "tokens",
            str(error).removesuffix("."),
            "Until then no caller can be identified, and `serve` refuses to start.",
        )
    secret = None if settings.auth_secret is None else "a shared secret"
    keys = None if settings.auth_jwks_url is None else f"the keys at {settings.auth_jwks_url}"
    return ok("tokens", f"they are verified by {' or '.join(filter(None, (secret, keys)))}")


async def _keys(settings: Settings) -> Check:
    # The HTTP client is imported only where it is used.
    from app.web.callers.key_server import KeyServer

    server = KeyServer(str(settings.auth_jwks_url))
    try:
        found = parse_keys(await server.fetch(), settings.auth_jwks_algorithms.split())
    except NoKeys as problem:
        advice = "Check IMAGE_GATEWAY_AUTH_JWKS_URL and that server; until it responds, its keys verify no token."
        return fail("keys", f"{server.url} gives none: {problem}", advice)
    finally:
        await server.close()
    return ok("keys", f"{server.url} gives {len({key.material for key in found})} usable keys")


def _documents(settings: Settings) -> Check:
    try:
        texts = trusted_documents(settings, build_schema(settings).documents)
    except SetupError as error:
        return fail("documents", str(error).removesuffix("."), "Until it is fixed, `serve` refuses to start.")
    return ok("documents", f"{len(texts)} trusted ones fit the schema")


async def _check_store(settings: Settings) -> AsyncIterator[Check]:
    try:
        store = Store(parse_url(settings.database_url))
    except SetupError as error:
        yield fail("store", str(error).removesuffix("."), "Install it where the gateway is installed.")
        return
    try:
        async for check in stores.check_store(store, settings):
            yield check
    finally:
        await store.close()
