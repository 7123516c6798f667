"""Reports the figures and violations of a long run, and exits with the verdict."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

import typer

MAX_VIOLATIONS = 20


def report_and_exit(figures: Mapping[str, object], violations: Sequence[object]) -> NoReturn:
    for name, figure in figures.items():
        typer.echo(f"{name}: {figure}")
    for violation in violations[:MAX_VIOLATIONS]:
        typer.echo(f"VIOLATION {violation}")
    typer.echo(f"{len(violations)} violations")
    raise typer.Exit(1 if violations else 0)
