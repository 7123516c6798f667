"""One run: a calm, restarts beside the load, quiet, then the verdict."""

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
from tests.chaos.watchers import Watcher, crowd
from tests.chaos.writers import ACKNOWLEDGED, LOST, Writer, by_image
from tests.harness.databases import upgrade
from tests.harness.gateway import settings_for
from tests.harness.kernel import memory_of
from tests.harness.patience import wait_until
from tests.soak import verdict
from tests.soak.faults import READY_SECONDS, Restarts, Window
from tests.soak.load import Reader, over_events

Say = Callable[[str], None]
READERS, READ_PAUSE, WRITE_PAUSE = 4, 0.1, 0.2
CATCH_UP_SECONDS = 90
# Below this a figure of pace or memory is an accident.
JUDGED_SECONDS = 120
# The log is short, so that what is kept of it is full long before the memory is judged.
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
class Plan:
    """For how long, with how many watchers; the seed chooses who is struck."""

    seconds: float
    watchers: int = 24
    seed: str = "soak"

    @property
    def is_judged(self) -> bool:
        """Whether it is long enough to say something of pace and memory."""
        return self.seconds >= JUDGED_SECONDS


@dataclass
class Place:
    machine: Machine
    archive: Archive
    restarts: Restarts
    writers: list[Writer]
    readers: list[Reader]
    watchers: list[Watcher]
    weighed: list[verdict.Weighed] = field(default_factory=list[verdict.Weighed])
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
    """One for the whole run: what a server keeps of tokens is no part of this."""
    known = frozenset(Role(role) for role in roles or ("admin",))
    return SharedSecret(settings_for("sqlite+aiosqlite://")).mint(tenant_id, known, timedelta(hours=9), "soak")


async def run(plan: Plan, folder: Path, say: Say) -> Outcome:
    outcome = Outcome()
    async with _place(plan, folder) as place:
        async with asyncio.TaskGroup() as group:
            played = asyncio.Event()
            group.create_task(place.archive.follow(played))
            group.create_task(_play(plan, place, outcome, say, played))
        if (status := await place.machine.end()) != 0:
            outcome.violations.append(f"exit status after SIGTERM: {status}")
        await _judge(plan, place, outcome)
    return outcome


@asynccontextmanager
async def _place(plan: Plan, folder: Path) -> AsyncGenerator[Place]:
    database = await asyncio.to_thread(Database, folder)
    archive = Archive(database.url)
    machine = Machine(folder / "machine", database.url, "app", **SETTINGS)
    try:
        await asyncio.to_thread(upgrade, database.url)
        await archive.begin()
        keeper = asyncio.create_task(machine.keep())
        http, ws = (f"{scheme}://127.0.0.1:{machine.port}/graphql" for scheme in ("http", "ws"))
        watchers = crowd(ws, _token, OWNERS, plan.watchers)
        yield Place(
            machine,
            archive,
            Restarts(machine, database, plan.seed),
            [Writer(http, _token, owner, f"{plan.seed}-{owner}", WRITE_PAUSE) for owner in OWNERS],
            [Reader(http, _token(OWNERS[number]), READ_PAUSE) for number in range(READERS)],
            [over_events(one, one.token) if place % 4 == 0 else one for place, one in enumerate(watchers)],
        )
        await machine.end()
        await keeper
    finally:
        await archive.close()
        await asyncio.to_thread(database.close)


async def _play(plan: Plan, place: Place, outcome: Outcome, say: Say, played: asyncio.Event) -> None:
    ended = asyncio.Event()
    await _begin(place)
    try:
        place.begun = monotonic()
        async with asyncio.TaskGroup() as group:
            for worker in (*place.writers, *place.readers):
                group.create_task(worker.work(ended))
            group.create_task(_tell(place, ended, say))
            await _go_through(plan, place, ended, group)
        await _catch_up(place, outcome)
    finally:
        ended.set()
        for watcher in place.watchers:
            await watcher.stop()
        played.set()


async def _begin(place: Place) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while not await place.machine.is_ready():
            await asyncio.sleep(0.2)  # each look is a request
    for watcher in place.watchers:
        watcher.start()


async def _go_through(plan: Plan, place: Place, ended: asyncio.Event, group: asyncio.TaskGroup) -> None:
    """A twentieth to warm up, then a calm to a fifth of the time, then restarts; of workers in the first half alone."""
    await asyncio.sleep(plan.seconds * 0.05)  # until everything was asked once
    calm = monotonic()
    await asyncio.sleep(plan.seconds * 0.15)  # what the rest is compared with
    place.calm = Window(calm, monotonic())
    middle, end = place.begun + plan.seconds / 2, place.begun + plan.seconds
    group.create_task(place.restarts.strike(ended, max(1, plan.seconds / 25), middle))
    await asyncio.sleep(max(0, end - monotonic()))  # the soak itself
    ended.set()


async def _tell(place: Place, ended: asyncio.Event, say: Say) -> None:
    """Weigh the workers each second, and say each five how far it is."""
    looks = 0
    while not ended.is_set():
        now = monotonic()
        place.weighed += [verdict.Weighed(now, pid, memory_of(pid)) for pid in place.machine.workers()]
        looks += 1
        if looks % 5 == 0:
            reads = sum(len(reader.reads) for reader in place.readers)
            steps = sum(len(writer.attempts) for writer in place.writers)
            heard = sum(len(watcher.heard) for watcher in place.watchers)
            sizes = [round(memory_of(pid) / 1e6) for pid in place.machine.workers()]
            done = f"{reads} reads, {steps} steps, {heard} items heard"
            say(f"{now - place.begun:4.0f} s: {done}, {sizes} MB, {dict(place.restarts.thrown)}")
        await asyncio.sleep(1)  # between two looks


async def _catch_up(place: Place, outcome: Outcome) -> None:
    head = await place.archive.head()
    seal = Seal(head)

    def late() -> list[Watcher]:
        return [watcher for watcher in place.watchers if watcher.position(seal) < head.seq]

    with suppress(TimeoutError):
        await wait_until(lambda: not late(), CATCH_UP_SECONDS)
    outcome.violations += [f"{watcher.viewer} never came to {head.seq}" for watcher in late()]


async def _judge(plan: Plan, place: Place, outcome: Outcome) -> None:
    changes, seal = await place.archive.everything(), Seal(await place.archive.head())
    attempts = by_image(place.writers)
    lost = of_chaos.on_the_log(changes, await place.archive.members(), attempts)
    outcomes = Counter(attempt.outcome for tried in attempts.values() for attempt in tried)
    outcome.violations += lost
    for watcher in place.watchers:
        trouble = of_chaos.on_a_watch(watcher, changes, place.archive, seal) if watcher.heard else "heard nothing"
        outcome.violations += [f"{watcher.viewer}: {trouble}"] if trouble else []
        outcome.violations += [f"{watcher.viewer} ended: {watcher.trouble!r}"] if watcher.trouble else []
    outcome.violations += of_chaos.on_groups(place.watchers)
    outcome.figures |= {
        "events in the log": len(changes),
        "mutations acknowledged": outcomes[ACKNOWLEDGED],
        "answers lost": outcomes[LOST],
        "rows lost": len(lost),
        "items heard": sum(len(watcher.heard) for watcher in place.watchers),
        "restarts": dict(place.restarts.thrown),
        "starts of the machine": place.machine.starts,
    }
    reads = [read for reader in place.readers for read in reader.reads]
    outcome.add(verdict.on_reads(reads, place.calm, place.restarts.windows, plan.is_judged))
    outcome.add(verdict.on_memory(place.weighed, place.begun + plan.seconds / 2, plan.is_judged))
