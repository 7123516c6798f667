"""python -m tests.bench: what it costs."""

import asyncio
from typing import Annotated

import typer

from tests.bench.watch import compare

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True, help="Measure the gateway against its peers.")


@app.callback()
def main() -> None:
    """Ratios are taken within one run, with server and load on cores of their own."""


@app.command()
def watch(
    watchers: Annotated[str, typer.Option(help="Numbers of watchers, with commas.")] = "200,1000,4000",
    rounds: Annotated[int, typer.Option(help="Rounds of each; the best counts, since noise only ever adds.")] = 3,
) -> None:
    """Deliveries, memory and delay of the watch, with Strawberry's own execution in the same run."""
    asyncio.run(compare([int(size) for size in watchers.split(",")], rounds, typer.echo))


if __name__ == "__main__":
    app()
