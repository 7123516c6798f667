"""python -m tests.chaos: runs a gateway under faults, and reports whether a watch lost anything."""

import asyncio
import logging
import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import structlog
import typer

from tests.chaos.field import RunPlan
from tests.chaos.run import run
from tests.harness.planted_bugs import PLANTED_BUGS
from tests.harness.report import report_and_exit

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    seconds: Annotated[float, typer.Option(help="Duration of the faults.")] = 60,
    engine: Annotated[str, typer.Option(help="`postgres`: two machines, three workers; `sqlite`: one.")] = "postgres",
    watchers: Annotated[int, typer.Option(help="Watching clients.")] = 48,
    seed: Annotated[str, typer.Option(help="Seed of the faults; equal seeds give equal faults.")] = "",
    plant: Annotated[
        str, typer.Option(help=f"A bug to plant, which the run must find: {', '.join(PLANTED_BUGS)}.")
    ] = "",
) -> None:
    """Run writers and watchers on a gateway under faults. Exits with the verdict."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if plant:
        os.environ["CHAOS_PLANT"] = plant
    plan = RunPlan(seconds, engine, watchers, seed or str(random.randrange(10**6)), plant or None)
    typer.echo(f"Chaos on {engine} for {seconds:.0f} s, seed {plan.seed}")
    with TemporaryDirectory(prefix="chaos-") as folder:
        Path(folder).chmod(0o755)
        outcome = asyncio.run(run(plan, Path(folder), typer.echo))
    report_and_exit(outcome.figures, outcome.violations)


if __name__ == "__main__":
    app()
