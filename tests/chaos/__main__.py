"""python -m tests.chaos: a gateway under faults for a while, and whether a watch lost anything."""

import asyncio
import logging
import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import structlog
import typer

from tests.chaos.field import Plan
from tests.chaos.run import run
from tests.harness.outcome import report_and_exit
from tests.harness.plants import PLANTS

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    seconds: Annotated[float, typer.Option(help="How long the faults go on.")] = 60,
    engine: Annotated[str, typer.Option(help="`postgres`: two machines, three workers; `sqlite`: one.")] = "postgres",
    watchers: Annotated[int, typer.Option(help="Watching clients.")] = 48,
    seed: Annotated[str, typer.Option(help="The same seed throws the same faults.")] = "",
    plant: Annotated[str, typer.Option(help=f"A bug to plant, which must be found: {', '.join(PLANTS)}.")] = "",
) -> None:
    """Writers and watchers on a gateway to which all happens that can go wrong. The exit status is the verdict."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if plant:
        os.environ["CHAOS_PLANT"] = plant
    plan = Plan(seconds, engine, watchers, seed or str(random.randrange(10**6)), plant or None)
    typer.echo(f"Chaos on {engine} for {seconds:.0f} s, seed {plan.seed}")
    with TemporaryDirectory(prefix="chaos-") as folder:
        Path(folder).chmod(0o755)
        outcome = asyncio.run(run(plan, Path(folder), typer.echo))
    report_and_exit(outcome.figures, outcome.violations)


if __name__ == "__main__":
    app()
