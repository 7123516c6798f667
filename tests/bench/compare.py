"""Compares the gateway with its peers on the same reads and writes."""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench import equality, on_postgres, seed, table
from tests.bench.load import Load
from tests.bench.peers_known import available_peers
from tests.bench.seed import LARGE, Sizes
from tests.bench.servers import LOAD_CORE, Peer, Running
from tests.bench.table import Found, Round, WorkloadFigures
from tests.bench.timed import TimedConnection
from tests.bench.workloads import Workload, workloads
from tests.harness.kernel import pin_to_core

Print = Callable[[str], None]
WARM_SECONDS = 1.0


@dataclass(frozen=True)
class CompareOptions:
    """What to measure, and for how long. Empty lists select everything."""

    rounds: int = 7
    seconds: float = 1.0
    only: Sequence[str] = ()
    peers: Sequence[str] = ()
    sizes: Sizes = LARGE

    def includes_peer(self, peer: str) -> bool:
        return not self.peers or any(word.lower() in peer.lower() for word in self.peers)

    def includes_workload(self, workload: str) -> bool:
        return not self.only or workload in self.only


class ComparedServer(NamedTuple):
    """A running peer and its SQLite file."""

    peer: Peer
    running: Running
    file: Path


async def compare(options: CompareOptions, say: Print) -> Found:
    """Run the comparison, and print its tables and the promises kept."""
    world, found = seed.world(options.sizes), Found()
    selected = workloads(world)
    with TemporaryDirectory(prefix="gateway-bench-") as name, pin_to_core(LOAD_CORE):
        folder = Path(name)
        embedded = [one for one in selected.values() if options.includes_workload(one.name)]
        if embedded:
            template = folder / "template.db"
            await seed.write_sqlite(template, world)
            found |= await _compare_workloads(
                available_peers(options.includes_peer, say), embedded, folder, template, options, say
            )
        if options.includes_workload("postgres"):
            workload = replace(selected["list"], name=on_postgres.NAME)
            with ExitStack() as held:
                # Migrations run an event loop of their own.
                database = await asyncio.to_thread(held.enter_context, on_postgres.load(world))
                peers = on_postgres.available_peers(database, options.includes_peer, say)
                found |= await _compare_workloads(peers, [workload], folder / "postgres", None, options, say)
    for line in table.promises(found):
        say(line)
    return found


async def _compare_workloads(
    peers: Iterable[Peer],
    selected: Sequence[Workload],
    folder: Path,
    template: Path | None,
    options: CompareOptions,
    say: Print,
) -> Found:
    """Start all peers, and measure one workload after the other."""
    found: Found = {}
    with ExitStack() as started:
        servers = list[ComparedServer]()
        for peer in peers:
            place = folder / peer.name
            place.mkdir(parents=True)
            if template is not None:
                shutil.copy(template, place / "gateway.db")
            servers.append(ComparedServer(peer, started.enter_context(peer.start(place)), place / "gateway.db"))
        for workload in selected:
            concerned = [server for server in servers if workload.name in server.peer.workloads]
            _require_equal_responses(workload, concerned)
            found[workload.name] = await _measure(workload, concerned, options)
            for line in table.rows(workload.name, found[workload.name]):
                say(line)
    return found


def _require_equal_responses(workload: Workload, servers: Sequence[ComparedServer]) -> None:
    ours, *others = servers
    expected = equality.responses(ours.peer, ours.running, workload)
    equality.require_substance(workload, expected)
    for one in others:
        equality.require_same(workload, one.peer.name, equality.responses(one.peer, one.running, workload), expected)
        if workload.name == "offers":
            equality.require_same_log(one.peer.name, one.file, ours.file)


async def _measure(
    workload: Workload, servers: Sequence[ComparedServer], options: CompareOptions
) -> dict[str, WorkloadFigures]:
    """Measure the servers in turn, round after round, so that noise affects all of them equally."""
    workload.prepare(options.rounds * options.seconds + WARM_SECONDS)
    found: dict[str, list[Round]] = {server.peer.name: [] for server in servers}
    loads = [Load(one.running.port, partial(_source, workload, one.peer)) for one in servers]
    for server in servers:
        await asyncio.to_thread(_warm, workload, server)
    for load in loads:
        await load.run(min(WARM_SECONDS, options.seconds))
    for _ in range(options.rounds):
        for load, server in zip(loads, servers, strict=True):
            done = await load.run(options.seconds, server.running.cpu)
            found[server.peer.name].append(Round(done.microseconds, done.requests / done.seconds))
    return {name: WorkloadFigures.of(rounds) for name, rounds in found.items()}


def _warm(workload: Workload, server: ComparedServer) -> None:
    with closing(TimedConnection(server.running.port)) as connection:
        for ask in workload.warm:
            connection.send(server.peer.translate_request(ask).raw())


def _source(workload: Workload, peer: Peer, number: int) -> Iterator[bytes]:
    return workload.source(number, peer.translate_request)
