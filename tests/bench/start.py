"""Measures the time to the gateway's first responses, and its memory, next to a bare application."""

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx2

from tests.bench import seed, servers
from tests.bench.load import Load
from tests.bench.servers import LOAD_CORE, OURS, Running
from tests.bench.workloads import Workload, workloads
from tests.harness.kernel import memory_of, pin_to_core, process_tree

BARE = "bare Starlette"
BAR = 2.0
SETTLED_SECONDS = 1.0


class Start(NamedTuple):
    """One start: milliseconds to the first responses, and megabytes when idle and under load."""

    to_livez: float
    to_list: float
    idle: float
    loaded: float


WORDS = {
    "to_livez": "ms to the first answer of /livez",
    "to_list": "ms to the first answer of the list",
    "idle": "MB at idle",
    "loaded": "MB under load",
}


async def compare(rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    """Start each in turn, and print the minimum of each figure, since noise only adds time."""
    world = seed.world(seed.LARGE)
    workload = workloads(world)["list"]
    found: dict[str, list[Start]] = {OURS: [], BARE: []}
    with TemporaryDirectory(prefix="gateway-bench-") as name, pin_to_core(LOAD_CORE):
        template = Path(name) / "template.db"
        await seed.write_sqlite(template, world)
        for number in range(rounds):
            for who in found:
                folder = Path(name) / f"{who} {number}"
                folder.mkdir()
                shutil.copy(template, folder / "gateway.db")
                found[who].append(await _measure_start(who, folder, workload, seconds))
    for line in _table(found):
        say(line)


async def _measure_start(who: str, folder: Path, workload: Workload, seconds: float) -> Start:
    begun = time.perf_counter()
    start = servers.run_gateway if who == OURS else servers.python_peer("tests.bench.bare")
    with start(folder) as running:
        to_livez, to_list = _first_responses(running, workload, begun)
        await asyncio.sleep(SETTLED_SECONDS)  # work that the start has deferred is done by then
        idle = _memory(running)
        heaviest = idle
        load = asyncio.create_task(
            Load(running.port, lambda number: workload.source(number, lambda ask: ask)).run(seconds)
        )
        while not load.done():
            await asyncio.sleep(0.1)  # between two samples of its memory
            heaviest = max(heaviest, _memory(running))
        await load
        return Start(to_livez, to_list, idle, heaviest)


def _first_responses(running: Running, workload: Workload, begun: float) -> tuple[float, float]:
    url, ask = f"http://127.0.0.1:{running.port}", workload.checked[0]
    with httpx2.Client(base_url=url, timeout=60) as client:
        client.get("/livez").raise_for_status()
        to_livez = time.perf_counter() - begun
        body = {"query": ask.query, "variables": ask.variables}
        answer = client.post("/graphql", json=body, headers={"authorization": f"Bearer {ask.token}"})
        to_list = time.perf_counter() - begun
    assert answer.status_code == 200, answer.text
    assert "errors" not in answer.json(), answer.text
    return to_livez * 1000, to_list * 1000


def _memory(running: Running) -> float:
    return sum(memory_of(member) for pid in running.pids for member in process_tree(pid)) / 2**20


def _table(found: Mapping[str, Sequence[Start]]) -> list[str]:
    lines = [f"{'':36}  {OURS:>24}  {BARE:>24}  ratio"]
    for field, words in WORDS.items():
        ours, bare = ([getattr(one, field) for one in found[who]] for who in (OURS, BARE))
        ratio = min(ours) / min(bare)
        cells = [f"{min(one):.0f} (median {median(one):.0f})" for one in (ours, bare)]
        verdict = "held" if ratio <= BAR else "NOT held"
        lines.append(f"{words:36}  {cells[0]:>24}  {cells[1]:>24}  {ratio:.2f}, at most {BAR:g}: {verdict}")
    return lines
