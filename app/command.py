"""What every command has: where the store is, and how it says what the operator has to mend."""

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
def told_in_one_sentence() -> Generator[None]:
    """What the operator has to mend ends the command with one sentence and status 1."""
    try:
        yield
    except (SetupError, BadUserInput, Unavailable) as error:
        typer.echo(f"image-gateway: {error}", err=True)
        sys.exit(1)
