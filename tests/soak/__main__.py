"""python -m tests.soak: mixed load with restarts for a while, and whether anything is lost, slow or swollen."""

import asyncio
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import structlog
import typer

from tests.harness.outcome import report_and_exit
from tests.soak.run import Plan, run

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    seconds: Annotated[float, typer.Option(help="How long; the second half is that in which memory is judged.")] = 600,
    watchers: Annotated[int, typer.Option(help="Watching clients, a quarter of them over SSE.")] = 24,
    seed: Annotated[str, typer.Option(help="The same seed strikes the same workers.")] = "soak",
) -> None:
    """Queries, mutations and watches on two workers and a PostgreSQL that restart. The exit status is the verdict."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with TemporaryDirectory(prefix="soak-") as folder:
        Path(folder).chmod(0o755)
        outcome = asyncio.run(run(Plan(seconds, watchers, seed), Path(folder), typer.echo))
    report_and_exit(outcome.figures, outcome.violations)


if __name__ == "__main__":
    app()
