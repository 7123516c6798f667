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
from app.admin.identity import check_identity
from app.admin.token_checks import check_token
from app.api.schema import build_schema
from app.command import Database
from app.documents.manifest import trusted_documents
from app.errors import SetupError
from app.settings import Settings
from app.store.database import Store
from app.store.engines.engine import parse_url

LONGEST_FILE = 65_536
MARKS = {Result.OK: "ok   ", Result.NOTE: "note ", Result.FAIL: "FAIL "}


def doctor(
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON, for programs.")] = False,
    token: Annotated[
        typer.FileBinaryRead | None,
        typer.Option("--token", metavar="FILE", help="Explain the token in a file instead; - is standard input."),
    ] = None,
) -> None:
    """Check settings, store, migrations, clocks and limits, and say what to do. Exits with 1 if a check fails."""
    checks = asyncio.run(
        _run_checks(database) if token is None else _explain_token(database, _text(token.read(LONGEST_FILE)))
    )
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


def _text(content: bytes) -> str:
    """The token in a file, which may have `Bearer` before it."""
    return content.decode("ascii", "replace").strip().removeprefix("Bearer ").strip()


async def _explain_token(database: str | None, token: str) -> list[Check]:
    try:
        settings = Settings.load(database_url=database)
    except SetupError as error:
        return [_wrong_settings(error)]
    return [check async for check in check_token(settings, token)]


def _wrong_settings(error: SetupError) -> Check:
    return fail("settings", str(error).removesuffix("."), "Correct it; docker/README.md lists the settings.")


async def _checks(database: str | None) -> AsyncIterator[Check]:
    try:
        settings = Settings.load(database_url=database)
        url = parse_url(settings.database_url)
    except SetupError as error:
        yield _wrong_settings(error)
        return
    yield ok("settings", "every IMAGE_GATEWAY_ variable is known and valid")
    async for check in check_identity(settings):
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


def _file(database: str | None) -> Path:
    return Path(database or "").absolute()


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
