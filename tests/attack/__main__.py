"""python -m tests.attack: sends hostile traffic to a gateway under normal load."""

import asyncio
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import structlog
import typer

from tests.attack.run import RunPlan, run
from tests.harness.report import report_and_exit

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    examples: Annotated[
        int, typer.Option(help="Cases of each kind; of documents, a tenth for each root field.")
    ] = 5_000,
    engine: Annotated[str, typer.Option(help="`sqlite` or `postgres`.")] = "sqlite",
) -> None:
    """Send hostile documents, requests, frames and floods. Exits with the verdict."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with TemporaryDirectory(prefix="attack-") as folder:
        Path(folder).chmod(0o755)
        outcome = asyncio.run(run(RunPlan(examples, engine), Path(folder), typer.echo))
    report_and_exit(outcome.figures, outcome.violations)


if __name__ == "__main__":
    app()
