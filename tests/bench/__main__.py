"""python -m tests.bench: measures the gateway against its peers."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

import typer
import uvloop

from tests.bench import watch as watching
from tests.bench.compare import CompareOptions
from tests.bench.compare import compare as comparing
from tests.bench.equality import ResponsesDiffer
from tests.bench.growth import grow as growing
from tests.bench.servers import WORKLOADS
from tests.bench.share import compare as sharing
from tests.bench.start import compare as starting
from tests.bench.unseen import compare as hiding

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True, help="Measure the gateway against its peers.")


@app.callback()
def main() -> None:
    """Ratios compare figures of one run, with the server and the load on separate cores."""


@app.command()
def watch(
    watchers: Annotated[str, typer.Option(help="Numbers of watchers, separated by commas.")] = "200,1000,4000",
    rounds: Annotated[int, typer.Option(help="Rounds of each; the best counts, since noise only adds time.")] = 3,
) -> None:
    """Measure deliveries, memory and delay of the watch, next to Strawberry's own execution."""
    asyncio.run(watching.compare([int(size) for size in watchers.split(",")], rounds, typer.echo))


@app.command()
def share(
    watches: Annotated[int, typer.Option(help="Watches of the busy tenant, each with a document of its own.")] = 60,
    rounds: Annotated[int, typer.Option(help="Rounds, each with a calm and a busy period.")] = 3,
    seconds: Annotated[float, typer.Option(help="Length of one turn.")] = 5.0,
    loop_share: Annotated[
        float | None, typer.Option(help="IMAGE_GATEWAY_WATCH_LOOP_SHARE to try; its default if omitted.")
    ] = None,
) -> None:
    """Measure how much one tenant's watches slow down another tenant's point reads."""
    asyncio.run(sharing(watches, rounds, seconds, typer.echo, loop_share))


@app.command()
def compare(
    rounds: Annotated[int, typer.Option(help="Rounds; in each, every server has its turn.")] = 7,
    seconds: Annotated[float, typer.Option(help="Length of one turn.")] = 1.0,
    only: Annotated[
        str, typer.Option(help="Workloads, separated by commas: point, list, inbox, deep, offers, first, postgres.")
    ] = "",
    peers: Annotated[str, typer.Option(help="Parts of the names of peers, separated by commas; all by default.")] = "",
) -> None:
    """Compare reads and writes with other GraphQL servers and a hand-written route."""
    workloads = {*filter(None, only.split(","))}
    if unknown := workloads - {*WORKLOADS, "postgres"}:
        raise typer.BadParameter(f"There is no workload {', '.join(sorted(unknown))}.")
    options = CompareOptions(rounds, seconds, [*workloads], [*filter(None, peers.split(","))])
    _run(comparing(options, typer.echo))


@app.command()
def growth(
    images: Annotated[int, typer.Option(help="Images in the large file.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="Rounds; the minimum counts.")] = 5,
    seconds: Annotated[float, typer.Option(help="Length of one turn.")] = 1.0,
) -> None:
    """Measure lists with more rows, and in a much larger table. Takes about 2 GB of disk."""
    _run(growing(images, rounds, seconds, typer.echo))


@app.command()
def start(
    rounds: Annotated[int, typer.Option(help="Starts of each; the minimum of each figure counts.")] = 5,
    seconds: Annotated[float, typer.Option(help="Length of the load.")] = 3.0,
) -> None:
    """Measure the time to the first responses, and memory, next to a bare application with the same libraries."""
    _run(starting(rounds, seconds, typer.echo))


@app.command()
def unseen(
    rounds: Annotated[int, typer.Option(help="Rounds; in each, every kind of image has its turn.")] = 1_000,
) -> None:
    """Measure whether response times reveal hidden images, or documents that others have sent."""
    _run(hiding(rounds, typer.echo))


def _run(work: Coroutine[Any, Any, object]) -> None:
    # uvloop leaves as much CPU time as possible to the server under test.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(work)
        except ResponsesDiffer as difference:
            typer.echo(f"Nothing is measured: {difference}", err=True)
            raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
