"""`image-gateway remove-tenant`: a tenant has left, and what is its own goes with it."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer
from pydantic import TypeAdapter

from app import logs
from app.command import Database, told_in_one_sentence
from app.errors import SetupError
from app.serving import sqlite_file
from app.settings import Settings
from app.sharing import formats, offboarding
from app.store import migrate
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.store.tenant_holdings import Holdings


def remove_tenant(
    tenant: Annotated[str, typer.Option(help="Tenant ID of the one that leaves.", metavar="ID")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this nothing is changed.")] = False,
    database: Database = None,
) -> None:
    """Delete the images of a tenant that leaves, and end its memberships; a dry run unless --yes is given.

    Watchers are told, as of any other change. The server may be running. Withdraw the tenant's tokens first.
    """
    with told_in_one_sentence():
        settings = Settings.load(database_url=database)
        logs.configure(settings)
        formats.tenant_id(tenant, settings.tenant_id_pattern)
        sqlite_file(settings, is_made=False)
        before, after = asyncio.run(_removed(settings, tenant, yes))
        for line in _report(before, settings):
            typer.echo(line)
        if not yes:
            typer.echo("Nothing was changed. To do it, add --yes.")
            return
        if not after.is_empty:
            raise SetupError(f"Tenant {tenant} is still at work. Withdraw its tokens, then do this once more.")
        typer.echo("All of it is gone.")


async def _removed(settings: Settings, tenant: str, yes: bool) -> tuple[Holdings, Holdings]:
    store = Store(parse_url(settings.database_url))
    try:
        await migrate.require_current(store)
        before = await offboarding.held(store, tenant)
        return before, await offboarding.remove(store, tenant) if yes else before
    finally:
        await store.close()


def _report(held: Holdings, settings: Settings) -> Iterator[str]:
    retention = TypeAdapter(type(settings.event_retention)).dump_python(settings.event_retention, mode="json")
    yield f"Images, deleted with all their members:      {held.images} (members: {held.offered})"
    yield f"Memberships of images of others, ended:      {held.memberships}"
    yield f"Outcomes kept for idempotency keys, dropped: {held.records}"
    yield f"Rows of the log that named it before, kept:  {held.events} (for {retention}, or while among the newest)"
