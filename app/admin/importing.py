"""`image-gateway import`: reads images and members from JSON lines, while a server uses the store."""

import asyncio
import hashlib
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from tempfile import TemporaryFile
from typing import Annotated, BinaryIO

import typer

from app import logs
from app.command import Database, exit_on_setup_error
from app.errors import SetupError
from app.serving import sqlite_file
from app.settings import Settings
from app.store import migrate
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.transfer.checks import Checks
from app.transfer.importing import FileImport, Tally
from app.transfer.reading import Line, batches, row_of

STANDARD = "-"


def import_file(
    file: Annotated[str, typer.Argument(help="File of JSON lines, as `export` writes it; - for standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file, and write nothing.")] = False,
    announce: Annotated[bool, typer.Option("--announce", help="Tell watchers of every row, as of new ones.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Begin with the first line, even if the file was imported before.")
    ] = False,
    database: Database = None,
) -> None:
    """Write the images and members of a file into the store, after all of it was checked. The server may be running.

    Rows that are in the store stay as they are. A run after an interrupted one goes on where that one stopped.
    """
    with exit_on_setup_error():
        settings = Settings.load(database_url=database)
        logs.configure(settings)
        if settings.upstream is not None:
            raise SetupError("In front of a cloud, images come from Glance. Use: image-gateway mirror")
        sqlite_file(settings, is_made=False)
        with _open_source(file) as source:
            asyncio.run(_Command(settings, source).run(is_dry=dry_run, is_announced=announce, is_repeated=again))


class _Command:
    """One run of the command on an open file."""

    def __init__(self, settings: Settings, source: BinaryIO) -> None:
        self._settings = settings
        self._source = source

    async def run(self, *, is_dry: bool, is_announced: bool, is_repeated: bool) -> None:
        """Check the file, unless an earlier run has, and import it unless `is_dry`. Raises SetupError."""
        async with _open_store(self._settings) as store:
            file_import = FileImport(store, _digest(self._source), is_announced=is_announced)
            done = await file_import.lines_done()
            if is_dry or is_repeated or done is None:
                await self._check(store)
                done = 0
                if is_dry:
                    typer.echo("The file has no problems. Nothing was written.")
                    return
                await file_import.begin()
            typer.echo(_report(await self._write(file_import, done), done))

    async def _check(self, store: Store) -> None:
        """Print every problem of the file. Raises SetupError if there are any."""
        checks, number = Checks(store), 0
        for batch in self._batches("Checked"):
            for problem in await checks.problems_of(batch):
                typer.echo(str(problem))
                number += 1
        if number:
            raise SetupError(f"The file has {number} {'problem' if number == 1 else 'problems'}. Nothing was written.")

    async def _write(self, file_import: FileImport, done: int) -> Tally:
        tally = Tally()
        for batch in self._batches("Written"):
            if lines := [line for line in batch if line.number > done]:
                if any(line.row is None for line in lines):
                    raise SetupError("The file was changed while it was imported.")
                tally, done = tally.plus(await file_import.write(lines, done)), lines[-1].number
        return tally

    def _batches(self, label: str) -> Iterator[list[Line]]:
        """The lines of the file, with a bar that shows how much of it was worked through."""
        size = self._source.seek(0, os.SEEK_END)
        self._source.seek(0)
        parse = partial(row_of, tenant_id_pattern=self._settings.tenant_id_pattern, now=datetime.now(UTC))
        with typer.progressbar(length=size, label=label, file=sys.stderr) as bar:
            for batch in batches(self._source, parse):
                yield batch
                bar.update(self._source.tell() - bar.pos)


def _digest(source: BinaryIO) -> str:
    digest = hashlib.sha256()
    while some := source.read(2**20):
        digest.update(some)
    return digest.hexdigest()


def _report(tally: Tally, done: int) -> str:
    if done and not any(tally):
        return f"Nothing was written: earlier runs have imported all {done} lines. To begin again, add --again."
    since = f", after {done} lines of earlier runs" if done else ""
    orphans = f" {tally.orphans} members were left out: their images are not there any more." if tally.orphans else ""
    return f"{tally.images} images and {tally.members} members were written{since}.{orphans}"


@asynccontextmanager
async def _open_store(settings: Settings) -> AsyncGenerator[Store]:
    store = Store(parse_url(settings.database_url))
    try:
        await migrate.require_current(store)
        yield store
    finally:
        await store.close()


@contextmanager
def _open_source(file: str) -> Generator[BinaryIO]:
    """The file, or a copy of standard input, since it is read several times."""
    try:
        with sys.stdin.buffer if file == STANDARD else open(file, "rb") as given:
            if given.seekable() and file != STANDARD:
                yield given
                return
            with TemporaryFile() as copy:
                shutil.copyfileobj(given, copy)
                copy.seek(0)
                yield copy
    except OSError as error:
        raise SetupError(f"{file} can't be read: {error.strerror}.") from error
