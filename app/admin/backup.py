"""`image-gateway backup`: copies the embedded store while a server uses it."""

from pathlib import Path
from typing import Annotated

import typer

from app import logs
from app.command import Database, exit_on_setup_error
from app.errors import SetupError
from app.settings import Settings
from app.store import backup as copies
from app.store.engines.engine import parse_url


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not exist yet.")],
    database: Database = None,
) -> None:
    """Copy the SQLite store into a file, even while a server uses it. For PostgreSQL, use pg_dump."""
    with exit_on_setup_error():
        settings = Settings.load(database_url=database)
        logs.configure(settings)
        url = parse_url(settings.database_url)
        if url.get_backend_name() != "sqlite":
            raise SetupError(
                f"The store is not a file. Use: pg_dump --format=custom --file={file} (see docker/README.md)."
            )
        source = Path(url.database or "").absolute()
        if not source.is_file():
            raise SetupError(f"There is no database file {source}.")
        size = copies.copy(source, file.absolute())
        typer.echo(f"{file} has the store as of now, {size:,} bytes.")
