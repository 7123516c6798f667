"""The command line: image-gateway serve | token | schema | migrate | doctor | ..."""

import asyncio
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from app import logs
from app.admin.backup import backup
from app.admin.doctor import doctor
from app.admin.exporting import export
from app.admin.importing import import_file
from app.admin.mirroring import mirror
from app.admin.offboarding import remove_tenant
from app.api.schema import build_schema
from app.command import Database, exit_on_setup_error
from app.demo import TENANTS, with_own_secret
from app.model import Role
from app.serving import serve as serve_until_stopped
from app.serving import sqlite_file
from app.settings import Settings
from app.store import log
from app.store import migrate as migrations
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.web.browser.demo import Demo
from app.web.callers.identity import SharedSecret

DISTRIBUTION = "image-sharing-gateway"
A_YEAR = 365 * 24 * 3600
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Share images between cloud tenants by a handshake, over GraphQL. Settings come from IMAGE_GATEWAY_... "
    "variables; docker/README.md lists them.",
)


@app.callback(invoke_without_command=True)
def main(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if show_version:
        typer.echo(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="TCP port to listen on; 0 takes a free one.", show_default="8000")
    ] = None,
    database: Database = None,
    workers: Annotated[
        int | None, typer.Option(help="Server processes; more than one needs PostgreSQL.", show_default="1")
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Serve a demo: a store of its own, three tenants with images and offers, and a token for each. "
            "It serves this machine only.",
        ),
    ] = False,
    demo_public: Annotated[
        bool,
        typer.Option("--demo-public", help="Serve the demo to everyone who can reach it, also behind proxies."),
    ] = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM. A SQLite store is created and migrated first."""
    live_demo = Demo(TENANTS, demo_public) if demo or demo_public else None
    options = {"host": host, "port": port, "database_url": database, "workers": workers}
    with exit_on_setup_error(), _open_settings(live_demo, options) as settings:
        logs.configure(settings)
        serve_until_stopped(settings, live_demo, typer.echo)


@app.command()
def token(
    tenant: Annotated[str, typer.Option(help="Tenant ID that the token speaks for.", metavar="ID")],
    role: Annotated[
        list[Role] | None, typer.Option(help="Role of the caller; may be repeated.", show_default="admin")
    ] = None,
    ttl: Annotated[int, typer.Option(help="Lifetime in seconds.", min=1, max=A_YEAR)] = 3600,
) -> None:
    """Print a token for development, signed with IMAGE_GATEWAY_AUTH_SECRET."""
    with exit_on_setup_error():
        secret = SharedSecret(Settings.load())
        typer.echo(secret.mint(tenant, frozenset(role or [Role.ADMIN]), timedelta(seconds=ttl), "image-gateway-token"))


@app.command()
def schema() -> None:
    """Print the GraphQL schema."""
    typer.echo(build_schema().as_str())


@app.command()
def migrate(database: Database = None) -> None:
    """Upgrade the store to the revision that this version needs."""

    async def upgrade(store: Store) -> str:
        try:
            return await migrations.upgrade(store)
        finally:
            await store.close()

    with exit_on_setup_error():
        settings = Settings.load(database_url=database)
        logs.configure(settings)
        sqlite_file(settings)
        revision = asyncio.run(upgrade(Store(parse_url(settings.database_url))))
        typer.echo(f"The store is at revision {revision}.")


@app.command()
def rotate_epoch(database: Database = None) -> None:
    """Begin a new epoch of the log. Do this after restoring a backup, before serving from it.

    Clients that resume from an older cursor have to start anew, so that they do not miss what the backup has lost.
    """

    async def rotate(store: Store) -> None:
        try:
            await migrations.require_current(store)
            async with store.transaction() as tx:
                await log.rotate_epoch(tx)
        finally:
            await store.close()

    with exit_on_setup_error():
        settings = Settings.load(database_url=database)
        logs.configure(settings)
        sqlite_file(settings, is_made=False)
        asyncio.run(rotate(Store(parse_url(settings.database_url))))
        typer.echo("The log has a new epoch. Clients with older cursors will have to start anew.")


app.command()(backup)
app.command()(doctor)
app.command()(remove_tenant)
app.command()(mirror)
app.command()(export)
app.command("import")(import_file)


@contextmanager
def _open_settings(live_demo: Demo | None, options: dict[str, Any]) -> Generator[Settings]:
    """Load the settings. The demo gets a temporary store and a secret of its own, which end with it."""
    if live_demo is None:
        yield Settings.load(**options)
        return
    with tempfile.TemporaryDirectory(prefix="image-gateway-demo-") as folder:
        url = options["database_url"] or f"sqlite+aiosqlite:///{Path(folder) / 'demo.db'}"
        yield with_own_secret(Settings.load(**{**options, "database_url": url}))
