"""`image-gateway remove-tenant`: deletes the data of a tenant that leaves."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer
from pydantic import TypeAdapter

from app import logs
from app.command import Database, exit_on_setup_error
from app.errors import SetupError
from app.serving import sqlite_file
from app.settings import Settings
from app.sharing import formats, offboarding
from app.store import migrate
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.store.tenant_holdings import Holdings


def remove_tenant(
    tenant: Annotated[str, typer.Option(help="ID of the tenant that leaves.", metavar="ID")],
    yes: Annotated[bool, typer.Option("--yes", help="Carry it out. Without this option nothing is changed.")] = False,
    database: Database = None,
) -> None:
    """Delete the images of a tenant that leaves, and end its memberships; a dry run without --yes.

    Watchers receive events, as for any other change. The server may be running. Revoke the tenant's tokens first.
    """
    with exit_on_setup_error():
        settings = Settings.load(database_url=database)
        logs.configure(settings)
        formats.tenant_id(tenant, settings.tenant_id_pattern)
        sqlite_file(settings, is_made=False)
        before, after = asyncio.run(_remove(settings, tenant, yes))
        for line in _report(before, settings):
            typer.echo(line)
        if not yes:
            typer.echo("Nothing was changed. To do it, add --yes.")
            return
        if not after.is_empty:
            raise SetupError(f"Tenant {tenant} is still at work. Withdraw its tokens, then do this once more.")
        typer.echo("All of it is gone.")


async def _remove(settings: Settings, tenant: str, yes: bool) -> tuple[Holdings, Holdings]:
    store = Store(parse_url(settings.database_url))
    try:
        await migrate.require_current(store)
        before = await offboarding.count_holdings(store, tenant)
        return before, await offboarding.remove(store, tenant) if yes else before
    finally:
        await store.close()


def _report(held: Holdings, settings: Settings) -> Iterator[str]:
    retention = TypeAdapter(type(settings.event_retention)).dump_python(settings.event_retention, mode="json")
    yield f"Images, deleted with all their members:      {held.images} (members: {held.offered})"
    yield f"Memberships of images of others, ended:      {held.memberships}"
    yield f"Outcomes kept for idempotency keys, dropped: {held.records}"
    yield f"Rows of the log that named it before, kept:  {held.events} (for {retention}, or while among the newest)"
