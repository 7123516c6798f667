"""`image-gateway export`: writes images and members as JSON lines, while a server uses the store."""

import asyncio
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from app import logs
from app.command import Database, exit_on_setup_error
from app.errors import SetupError
from app.model import SeenImage
from app.serving import sqlite_file
from app.settings import Settings
from app.sharing import formats
from app.store import catalogue, migrate
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.transfer import lines

STANDARD = "-"


def export(
    file: Annotated[str, typer.Argument(help="File to write, which must not exist yet; - for standard output.")] = "-",
    tenant: Annotated[
        str | None, typer.Option(help="Export only the data of this tenant.", metavar="ID", show_default="everything")
    ] = None,
    database: Database = None,
) -> None:
    """Write every image and member as JSON lines, which `import` reads. The server may be running.

    Of one tenant: its images with their members, and its memberships of images of others.
    """
    with exit_on_setup_error():
        settings = Settings.load(database_url=database)
        logs.configure(settings)
        if tenant is not None:
            formats.tenant_id(tenant, settings.tenant_id_pattern)
        sqlite_file(settings, is_made=False)
        with _open_target(file) as target:
            images, members = asyncio.run(_export(settings, tenant, target))
        typer.echo(f"{images} images and {members} members were exported.", err=True)


async def _export(settings: Settings, tenant: str | None, target: BinaryIO) -> tuple[int, int]:
    store, images, members = Store(parse_url(settings.database_url)), 0, 0
    try:
        await migrate.require_current(store)
        async for row in catalogue.read_all(store, tenant):
            target.write(lines.write(row))
            images += (is_image := isinstance(row, SeenImage))
            members += not is_image
        target.flush()
    finally:
        await store.close()
    return images, members


@contextmanager
def _open_target(file: str) -> Generator[BinaryIO]:
    """Standard output, or the file, which appears only when it is complete."""
    if file == STANDARD:
        yield sys.stdout.buffer
        return
    target = Path(file)
    part = target.with_name(f"{target.name}.part")
    if target.exists():
        raise SetupError(f"{target} is there already. Choose another name.")
    try:
        with part.open("wb") as written:
            yield written
        os.link(part, target)
    except OSError as error:
        raise SetupError(f"{target} can't be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
