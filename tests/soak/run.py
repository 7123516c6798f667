"""One run: a calm period, restarts under load, a quiet period, then the verdict."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

from app.events.cursor import Seal
from app.model import Role
from app.web.callers.identity import SharedSecret
from tests.chaos import verdict as of_chaos
from tests.chaos.archive import Archive
from tests.chaos.field import OWNERS
from tests.chaos.machines import Database, Machine
from tests.chaos.watchers import Watcher, make_watchers
from tests.chaos.writers import ACKNOWLEDGED, LOST, Writer, by_image
from tests.harness.databases import upgrade
from tests.harness.gateway import settings_for
from tests.harness.kernel import memory_of
from tests.harness.waiting import wait_until
from tests.soak import verdict
from tests.soak.faults import READY_SECONDS, Restarts, Window
from tests.soak.load import Reader, to_event_watcher

Say = Callable[[str], None]
READERS, READ_PAUSE, WRITE_PAUSE = 4, 0.1, 0.2
CATCH_UP_SECONDS = 90
# Shorter runs give no reliable figures of latency and memory.
JUDGED_SECONDS = 120
# A short log, so that its caches are full long before memory is checked.
SETTINGS: dict[str, Any] = {
    "workers": 2,
    "bookmark_seconds": 1,
    "event_retention": "PT20S",
    "event_retention_count": 500,
    "feed_ring_size": 200,
    "drain_seconds": 5,
    "log_level": "warning",
}


@dataclass(frozen=True)
class RunPlan:
    """The parameters of a run. The seed chooses the workers that are restarted."""

    seconds: float
    watchers: int = 24
    seed: str = "soak"

    @property
    def is_judged(self) -> bool:
        """Whether the run is long enough to check latency and memory."""
        return self.seconds >= JUDGED_SECONDS


@dataclass
class System:
    machine: Machine
    archive: Archive
    restarts: Restarts
    writers: list[Writer]
    readers: list[Reader]
    watchers: list[Watcher]
    weighed: list[verdict.MemorySample] = field(default_factory=list[verdict.MemorySample])
    begun: float = 0
    calm: Window = field(default=Window(0, 0))


@dataclass
class Outcome:
    violations: list[str] = field(default_factory=list[str])
    figures: dict[str, Any] = field(default_factory=dict[str, Any])

    def add(self, found: tuple[list[str], dict[str, Any]]) -> None:
        self.violations += found[0]
        self.figures |= found[1]


@cache
def _token(tenant_id: str, *roles: str) -> str:
    """A token for the whole run, so that the token cache does not affect memory."""
    known = frozenset(Role(role) for role in roles or ("admin",))
    return SharedSecret(settings_for("sqlite+aiosqlite://")).mint(tenant_id, known, timedelta(hours=9), "soak")


async def run(plan: RunPlan, folder: Path, say: Say) -> Outcome:
    outcome = Outcome()
    async with _run_system(plan, folder) as place:
        async with asyncio.TaskGroup() as group:
            played = asyncio.Event()
            group.create_task(place.archive.follow(played))
            group.create_task(_run_load(plan, place, outcome, say, played))
        if (status := await place.machine.stop()) != 0:
            outcome.violations.append(f"exit status after SIGTERM: {status}")
        await _check(plan, place, outcome)
    return outcome


@asynccontextmanager
async def _run_system(plan: RunPlan, folder: Path) -> AsyncGenerator[System]:
    database = await asyncio.to_thread(Database, folder)
    archive = Archive(database.url)
    machine = Machine(folder / "machine", database.url, "app", **SETTINGS)
    try:
        await asyncio.to_thread(upgrade, database.url)
        await archive.begin()
        keeper = asyncio.create_task(machine.keep_running())
        http, ws = (f"{scheme}://127.0.0.1:{machine.port}/graphql" for scheme in ("http", "ws"))
        watchers = make_watchers(ws, _token, OWNERS, plan.watchers)
        yield System(
            machine,
            archive,
            Restarts(machine, database, plan.seed),
            [Writer(http, _token, owner, f"{plan.seed}-{owner}", WRITE_PAUSE) for owner in OWNERS],
            [Reader(http, _token(OWNERS[number]), READ_PAUSE) for number in range(READERS)],
            [to_event_watcher(one, one.token) if place % 4 == 0 else one for place, one in enumerate(watchers)],
        )
        await machine.stop()
        await keeper
    finally:
        await archive.close()
        await asyncio.to_thread(database.close)


async def _run_load(plan: RunPlan, place: System, outcome: Outcome, say: Say, played: asyncio.Event) -> None:
    ended = asyncio.Event()
    await _wait_until_ready(place)
    try:
        place.begun = monotonic()
        async with asyncio.TaskGroup() as group:
            for worker in (*place.writers, *place.readers):
                group.create_task(worker.work(ended))
            group.create_task(_sample_memory(place, ended, say))
            await _run_phases(plan, place, ended, group)
        await _wait_for_watches(place, outcome)
    finally:
        ended.set()
        for watcher in place.watchers:
            await watcher.stop()
        played.set()


async def _wait_until_ready(place: System) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while not await place.machine.is_ready():
            await asyncio.sleep(0.2)  # each check is a request
    for watcher in place.watchers:
        watcher.start()


async def _run_phases(plan: RunPlan, place: System, ended: asyncio.Event, group: asyncio.TaskGroup) -> None:
    """Warm up for 5 % of the time, stay calm until 20 %, then restart; workers only until half of the time."""
    await asyncio.sleep(plan.seconds * 0.05)  # until every operation has run once
    calm = monotonic()
    await asyncio.sleep(plan.seconds * 0.15)  # the baseline
    place.calm = Window(calm, monotonic())
    middle, end = place.begun + plan.seconds / 2, place.begun + plan.seconds
    group.create_task(place.restarts.run(ended, max(1, plan.seconds / 25), middle))
    await asyncio.sleep(max(0, end - monotonic()))  # the soak itself
    ended.set()


async def _sample_memory(place: System, ended: asyncio.Event, say: Say) -> None:
    """Sample the memory of the workers every second, and print the progress every five."""
    looks = 0
    while not ended.is_set():
        now = monotonic()
        place.weighed += [verdict.MemorySample(now, pid, memory_of(pid)) for pid in place.machine.workers()]
        looks += 1
        if looks % 5 == 0:
            reads = sum(len(reader.reads) for reader in place.readers)
            steps = sum(len(writer.attempts) for writer in place.writers)
            item_count = sum(len(watcher.received) for watcher in place.watchers)
            sizes = [round(memory_of(pid) / 1e6) for pid in place.machine.workers()]
            done = f"{reads} reads, {steps} steps, {item_count} items received"
            say(f"{now - place.begun:4.0f} s: {done}, {sizes} MB, {dict(place.restarts.thrown)}")
        await asyncio.sleep(1)  # between two samples


async def _wait_for_watches(place: System, outcome: Outcome) -> None:
    head = await place.archive.head()
    seal = Seal(head)

    def behind() -> list[Watcher]:
        return [watcher for watcher in place.watchers if watcher.position(seal) < head.seq]

    with suppress(TimeoutError):
        await wait_until(lambda: not behind(), CATCH_UP_SECONDS)
    outcome.violations += [f"{watcher.viewer} never came to {head.seq}" for watcher in behind()]


async def _check(plan: RunPlan, place: System, outcome: Outcome) -> None:
    changes, seal = await place.archive.whole_log(), Seal(await place.archive.head())
    attempts = by_image(place.writers)
    lost = of_chaos.check_log(changes, await place.archive.members(), attempts)
    outcomes = Counter(attempt.outcome for tried in attempts.values() for attempt in tried)
    outcome.violations += lost
    for watcher in place.watchers:
        trouble = (
            of_chaos.check_watch(watcher, changes, place.archive, seal) if watcher.received else "item_count nothing"
        )
        outcome.violations += [f"{watcher.viewer}: {trouble}"] if trouble else []
        outcome.violations += [f"{watcher.viewer} ended: {watcher.trouble!r}"] if watcher.trouble else []
    outcome.violations += of_chaos.check_groups(place.watchers)
    outcome.figures |= {
        "events in the log": len(changes),
        "mutations acknowledged": outcomes[ACKNOWLEDGED],
        "answers lost": outcomes[LOST],
        "rows lost": len(lost),
        "items received": sum(len(watcher.received) for watcher in place.watchers),
        "restarts": dict(place.restarts.thrown),
        "starts of the machine": place.machine.starts,
    }
    reads = [read for reader in place.readers for read in reader.reads]
    outcome.add(verdict.check_reads(reads, place.calm, place.restarts.windows, plan.is_judged))
    outcome.add(verdict.check_memory(place.weighed, place.begun + plan.seconds / 2, plan.is_judged))
