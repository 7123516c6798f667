"""python -m tests.soak: runs mixed load with restarts, and checks for losses, slowdowns and memory growth."""

import asyncio
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import structlog
import typer

from tests.harness.report import report_and_exit
from tests.soak.run import RunPlan, run

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    seconds: Annotated[float, typer.Option(help="Duration; memory is checked in the second half.")] = 600,
    watchers: Annotated[int, typer.Option(help="Watching clients, a quarter of them over SSE.")] = 24,
    seed: Annotated[str, typer.Option(help="Seed; equal seeds restart the same workers.")] = "soak",
) -> None:
    """Run queries, mutations and watches while workers and PostgreSQL restart. Exits with the verdict."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with TemporaryDirectory(prefix="soak-") as folder:
        Path(folder).chmod(0o755)
        outcome = asyncio.run(run(RunPlan(seconds, watchers, seed), Path(folder), typer.echo))
    report_and_exit(outcome.figures, outcome.violations)


if __name__ == "__main__":
    app()
