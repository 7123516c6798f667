"""`image-gateway mirror`: copies the images of a cloud into the store, before or while a gateway serves them."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app import logs
from app.cloud import open_cloud, open_mirror
from app.command import Database, exit_on_setup_error
from app.errors import SetupError
from app.mirror.look import Mirror
from app.mirror.looks import look_at
from app.mirror.sources import Census
from app.serving import sqlite_file
from app.settings import Settings
from app.store import migrate
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from app.upstream.glance import Glance

LOOKS_AT_ONCE = 8
PAGE = 200


def mirror(
    rate: Annotated[float, typer.Option(help="Images to read a second, at most.", min=0.1, max=1_000)] = 50,
    database: Database = None,
) -> None:
    """Read every image of the cloud and its members into the store. This creates no events.

    The server may be running. A run after an interrupted one continues where that one stopped.
    """
    with exit_on_setup_error():
        settings = Settings.load(database_url=database)
        logs.configure(settings)
        sqlite_file(settings, is_made=False)
        read, failed = asyncio.run(_mirror(settings, rate))
        typer.echo(f"{read} images were read; the mirror is up to date.")
        if failed:
            typer.echo(f"{failed} could not be read. The server will try them again; its log says why.", err=True)


async def _mirror(settings: Settings, rate: float) -> tuple[int, int]:
    cloud, store = open_cloud(settings), Store(parse_url(settings.database_url))
    try:
        if cloud is None:
            raise SetupError("There is no cloud to mirror. Set IMAGE_GATEWAY_UPSTREAM; docker/README.md says how.")
        await migrate.require_current(store)
        return await _read_all(open_mirror(cloud, store, settings), cloud.glance, rate)
    except UpstreamError as error:
        raise SetupError(f"The cloud can't be read: {error}. Run `image-gateway doctor`.") from None
    finally:
        await store.close()
        if cloud is not None:
            await cloud.close()


async def _read_all(mirror: Mirror, glance: "Glance", rate: float) -> tuple[int, int]:
    """The number of images that were read, and of those that could not be."""
    await Census(mirror, glance)()
    await mirror.note_poll()
    total, tried, failed, after = await mirror.count_marked(), 0, 0, ""
    with typer.progressbar(length=total, label="Images", file=sys.stderr, show_pos=True) as bar:
        while waiting := await mirror.waiting(after, max(1, min(PAGE, round(rate)))):
            failed += len(await look_at(mirror, waiting, LOOKS_AT_ONCE, rate))
            tried, after = tried + len(waiting), waiting[-1]
            # A server that runs beside it reads some of them.
            bar.update(total - await mirror.count_marked() - bar.pos)
    return tried - failed, failed
