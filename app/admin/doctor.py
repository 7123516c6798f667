"""`image-gateway doctor`: is everything as it must be, and if not, what is to be done?"""

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
from app.web.callers.keys import NoKeys, parse_keys
from app.web.callers.tokens import check_identity_settings

MARKS = {Result.OK: "ok   ", Result.NOTE: "note ", Result.FAIL: "FAIL "}


def doctor(
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON, for programs.")] = False,
) -> None:
    """Check settings, store, migrations, clocks and limits, and say what to do. Status 1 when something fails."""
    checks = asyncio.run(_all(database))
    if as_json:
        typer.echo(json.dumps([check._asdict() for check in checks], indent=2))
    else:
        for check in checks:
            typer.echo(f"{MARKS[check.result]} {check.name}: {check.found}.")
            if check.advice:
                typer.echo(f"      -> {check.advice}")
    sys.exit(any(check.result is Result.FAIL for check in checks))


async def _all(database: str | None) -> list[Check]:
    return [check async for check in _checked(database)]


async def _checked(database: str | None) -> AsyncIterator[Check]:
    try:
        settings = Settings.load(database_url=database)
        url = parse_url(settings.database_url)
    except SetupError as error:
        yield fail("settings", str(error).removesuffix("."), "Correct it; docker/README.md lists the settings.")
        return
    yield ok("settings", "every IMAGE_GATEWAY_ variable is known and makes sense")
    async for check in _of_callers(settings):
        yield check
    if settings.documents_path is not None or settings.documents_mode == "only":
        yield _documents(settings)
    yield machine.file_limit(settings)
    logs.configure(settings)
    path = _file(url.database) if url.get_backend_name() == "sqlite" else None
    if path is not None:
        found = list(machine.embedded(path))
        for check in found:
            yield check
        # What can't be opened, or is not there, has no more to tell; looking would make the file.
        if not path.exists() or any(check.result is Result.FAIL for check in found if check.name == "store file"):
            return
    async for check in _of_store(settings):
        yield check


async def _of_callers(settings: Settings) -> AsyncIterator[Check]:
    """How callers are known: by Keystone, or by tokens that the gateway verifies itself."""
    if settings.upstream is not None:
        # The HTTP client is loaded by those only who need one.
        from app.admin import clouds

        async for check in clouds.checked(settings):
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
        return fail("tokens", str(error).removesuffix("."), "Without it no caller can be known, and `serve` refuses.")
    secret = None if settings.auth_secret is None else "a shared secret"
    keys = None if settings.auth_jwks_url is None else f"the keys at {settings.auth_jwks_url}"
    return ok("tokens", f"they are verified by {' or '.join(filter(None, (secret, keys)))}")


async def _keys(settings: Settings) -> Check:
    # The HTTP client is loaded by those only who need one.
    from app.web.callers.key_server import KeyServer

    server = KeyServer(str(settings.auth_jwks_url))
    try:
        found = parse_keys(await server.fetch(), settings.auth_jwks_algorithms.split())
    except NoKeys as problem:
        advice = (
            "Look at IMAGE_GATEWAY_AUTH_JWKS_URL and at that server; until it answers nobody is let in by its keys."
        )
        return fail("keys", f"{server.url} gives none: {problem}", advice)
    finally:
        await server.close()
    return ok("keys", f"{server.url} gives {len({key.material for key in found})} that count")


def _documents(settings: Settings) -> Check:
    try:
        texts = trusted_documents(settings, build_schema(settings).documents)
    except SetupError as error:
        return fail("documents", str(error).removesuffix("."), "Until it is mended `serve` refuses.")
    return ok("documents", f"{len(texts)} trusted ones fit the schema")


async def _of_store(settings: Settings) -> AsyncIterator[Check]:
    try:
        store = Store(parse_url(settings.database_url))
    except SetupError as error:
        yield fail("store", str(error).removesuffix("."), "Install it where the gateway is installed.")
        return
    try:
        async for check in stores.checked(store, settings):
            yield check
    finally:
        await store.close()
