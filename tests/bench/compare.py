"""Reads and writes beside the gateway's peers: the same questions, the same answers, and what they cost."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import equality, seed, table
from tests.bench.load import Load, loading
from tests.bench.peers_known import known
from tests.bench.seed import Sizes
from tests.bench.servers import LOAD_CORE, OURS, Peer, Running
from tests.bench.table import Figures, Found, Round
from tests.bench.workloads import Workload, workloads
from tests.harness.kernel import pinned_to

Say = Callable[[str], None]
WARM_SECONDS = 1.0


@dataclass(frozen=True)
class Options:
    """What to measure, and for how long. No names mean all."""

    rounds: int = 7
    seconds: float = 1.0
    only: Sequence[str] = ()
    peers: Sequence[str] = ()
    sizes: Sizes = Sizes()

    def wants(self, peer: str) -> bool:
        return not self.peers or any(word.lower() in peer.lower() for word in self.peers)


async def compare(options: Options, say: Say) -> Found:
    """Print the tables, and what has become of the promises."""
    with TemporaryDirectory(prefix="gateway-bench-") as folder, pinned_to(LOAD_CORE):
        found = await _on_sqlite(Path(folder), options, say)
        for line in table.bars(found):
            say(line)
        return found


async def _on_sqlite(folder: Path, options: Options, say: Say) -> Found:
    world = seed.world(options.sizes)
    template = folder / "template.db"
    await seed.into_sqlite(template, world)
    asked = {name: one for name, one in workloads(world).items() if not options.only or name in options.only}
    found: Found = {}
    with ExitStack() as started:
        servers = list[tuple[Peer, Running, Path]]()
        for peer in known(options.wants, say):
            place = folder / peer.name
            place.mkdir()
            shutil.copy(template, place / "gateway.db")
            servers.append((peer, started.enter_context(peer.start(place)), place / "gateway.db"))
        for name, workload in asked.items():
            concerned = [one for one in servers if name in one[0].workloads]
            _require_same(workload, concerned)
            found[name] = await _measured(workload, [(peer, running) for peer, running, _ in concerned], options)
            for line in table.rows(name, found[name]):
                say(line)
    return found


def _require_same(workload: Workload, servers: Sequence[tuple[Peer, Running, Path]]) -> None:
    (ours, running, file), *others = servers
    expected = equality.answers(ours, running, workload)
    equality.require_substance(workload, expected)
    for peer, running, other_file in others:
        equality.require_same(workload, peer.name, equality.answers(peer, running, workload), expected)
        if workload.name == "offers":
            equality.require_same_log(peer.name, other_file, file)


async def _measured(
    workload: Workload, servers: Sequence[tuple[Peer, Running]], options: Options
) -> dict[str, Figures]:
    """Slices of each server in turn, round after round, so that what the machine does meanwhile hits all alike."""
    workload.prepare(options.rounds * options.seconds + WARM_SECONDS)
    found: dict[str, list[Round]] = {peer.name: [] for peer, _ in servers}
    async with AsyncExitStack() as held:
        loads = list[Load]()
        for peer, running in servers:
            load = loading(running.port, lambda number, peer=peer: workload.source(number, peer.put))
            loads.append(await held.enter_async_context(load))
        for load in loads:
            await load.run(min(WARM_SECONDS, options.seconds))
        for _ in range(options.rounds):
            for load, (peer, running) in zip(loads, servers, strict=True):
                found[peer.name].append(await _slice(load, running, options.seconds))
    return {name: Figures.of(rounds) for name, rounds in found.items()}


async def _slice(load: Load, running: Running, seconds: float) -> Round:
    before = running.cpu()
    done = await load.run(seconds)
    return Round((running.cpu() - before) / done.requests * 1e6, done.requests / done.seconds)


__all__ = ["OURS", "Options", "compare"]
