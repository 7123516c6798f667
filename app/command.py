"""The database option and the error handling that the commands share."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from app.errors import BadUserInput, SetupError, Unavailable

Database = Annotated[
    str | None,
    typer.Option(help="SQLAlchemy URL of the store.", metavar="URL", show_default="sqlite+aiosqlite:///gateway.db"),
]


@contextmanager
def exit_on_setup_error() -> Generator[None]:
    """Print an error that the operator has to fix as one sentence, and exit with status 1."""
    try:
        yield
    except (SetupError, BadUserInput, Unavailable) as error:
        typer.echo(f"image-gateway: {error}", err=True)
        sys.exit(1)
