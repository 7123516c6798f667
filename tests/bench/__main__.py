"""python -m tests.bench: what it costs."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

import typer
import uvloop

from tests.bench import watch as watching
from tests.bench.compare import Options
from tests.bench.compare import compare as comparing
from tests.bench.equality import Different
from tests.bench.growth import grow as growing
from tests.bench.servers import WORKLOADS
from tests.bench.share import compare as sharing
from tests.bench.start import compare as starting
from tests.bench.unseen import compare as hiding

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
    asyncio.run(watching.compare([int(size) for size in watchers.split(",")], rounds, typer.echo))


@app.command()
def share(
    watches: Annotated[int, typer.Option(help="Watches of the busy tenant, each with a document of its own.")] = 60,
    rounds: Annotated[int, typer.Option(help="Rounds, each calm and then busy.")] = 3,
    seconds: Annotated[float, typer.Option(help="Length of one turn.")] = 5.0,
    loop_share: Annotated[float | None, typer.Option(help="The setting to try; the default one when left out.")] = None,
) -> None:
    """How much slower one tenant's point reads are while the watches of another work."""
    asyncio.run(sharing(watches, rounds, seconds, typer.echo, loop_share))


@app.command()
def compare(
    rounds: Annotated[int, typer.Option(help="Rounds; in each, every server has its turn.")] = 7,
    seconds: Annotated[float, typer.Option(help="Length of one turn.")] = 1.0,
    only: Annotated[
        str, typer.Option(help="Workloads, with commas: point, list, inbox, deep, offers, first, postgres.")
    ] = "",
    peers: Annotated[str, typer.Option(help="Peers, with commas, by a part of their names; all by default.")] = "",
) -> None:
    """Reads and writes, with the same questions put to other GraphQL servers and to a hand-written route."""
    asked = {*filter(None, only.split(","))}
    if unknown := asked - {*WORKLOADS, "postgres"}:
        raise typer.BadParameter(f"There is no workload {', '.join(sorted(unknown))}.")
    options = Options(rounds, seconds, [*asked], [*filter(None, peers.split(","))])
    _run(comparing(options, typer.echo))


@app.command()
def growth(
    images: Annotated[int, typer.Option(help="Images in the large file.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="Rounds; the least of them counts.")] = 5,
    seconds: Annotated[float, typer.Option(help="Length of one turn.")] = 1.0,
) -> None:
    """What a list costs with more rows in it, and with many more images round it. Takes about 2 GB of disk."""
    _run(growing(images, rounds, seconds, typer.echo))


@app.command()
def start(
    rounds: Annotated[int, typer.Option(help="Starts of each; the least of each figure counts.")] = 5,
    seconds: Annotated[float, typer.Option(help="Length of the load.")] = 3.0,
) -> None:
    """Time from the start to the first answers, and memory, beside a bare application with the same libraries."""
    _run(starting(rounds, seconds, typer.echo))


@app.command()
def unseen(
    rounds: Annotated[int, typer.Option(help="Rounds; in each, every kind of image has its turn.")] = 1_000,
) -> None:
    """Whether the clock tells images that a caller may not see from those that do not exist, or what others asked."""
    _run(hiding(rounds, typer.echo))


def _run(work: Coroutine[Any, Any, object]) -> None:
    # The load should leave as much of the machine as it can to what it measures.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(work)
        except Different as difference:
            typer.echo(f"Nothing is measured: {difference}", err=True)
            raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
