"""One run: all attacks, next to writers that share images, then the verdict."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from tests.attack import documents, floods, frames, requests
from tests.attack.tally import Tally
from tests.chaos import verdict
from tests.chaos.archive import Archive
from tests.chaos.writers import ACKNOWLEDGED, LOST, Writer, by_image
from tests.harness.databases import postgres, upgrade
from tests.harness.kernel import connection_count, memory_of
from tests.harness.server import Server, run_server
from tests.harness.waiting import wait_until

Say = Callable[[str], None]
OWNERS = ["11", "12"]
GROWTH_BYTES = 100_000_000
# Short timeouts keep the run short.
SETTINGS: dict[str, Any] = {
    "request_seconds": 0.5,
    "connection_init_seconds": 1,
    "max_watches_per_tenant": 50,
    "max_body_bytes": 20_000,
    "drain_seconds": 2,
}


@dataclass(frozen=True)
class RunPlan:
    """The number of cases of each kind, and the engine. `is_planted` runs a gateway with planted bugs."""

    examples: int
    engine: str = "sqlite"
    is_planted: bool = False


@dataclass
class Outcome:
    violations: list[str] = field(default_factory=list[str])
    figures: dict[str, Any] = field(default_factory=dict[str, Any])


async def run(plan: RunPlan, folder: Path, say: Say) -> Outcome:
    tally = Tally()
    with ExitStack() as held:
        url = await asyncio.to_thread(_database, plan, folder, held)
        module = "tests.attack.buggy_gateway" if plan.is_planted else "app"
        server = await asyncio.to_thread(
            lambda: held.enter_context(run_server(folder, database_url=url, module=module, **SETTINGS))
        )
        async with _writers(server, url) as (writers, archive):
            memory = await _attack(plan, server, tally, say)
        outcome = Outcome(tally.violations, tally.figures())
        _check_memory(memory, outcome)
        await _check_rows(writers, archive, outcome)
        _check_log(server, outcome)
        if (status := await asyncio.to_thread(server.terminate)) != 0:
            outcome.violations.append(f"exit status after SIGTERM: {status}")
        return outcome


def _database(plan: RunPlan, folder: Path, held: ExitStack) -> str:
    if plan.engine == "sqlite":
        url = f"sqlite+aiosqlite:///{folder / 'gateway.db'}"
        upgrade(url)
        return url
    (folder / "data").mkdir()
    server: AbstractContextManager[Any] = postgres(folder / "data")
    return held.enter_context(server).fresh()


@asynccontextmanager
async def _writers(server: Server, url: str) -> AsyncGenerator[tuple[list[Writer], Archive]]:
    archive, ended = Archive(url), asyncio.Event()
    try:
        await archive.begin()
        writers = [Writer(server.url, server.token, owner, owner, 0.1) for owner in OWNERS]
        async with asyncio.TaskGroup() as group:
            for writer in writers:
                group.create_task(writer.work(ended))
            try:
                yield writers, archive
            finally:
                ended.set()
    finally:
        await archive.close()


async def _attack(plan: RunPlan, server: Server, tally: Tally, say: Say) -> tuple[int, int]:
    """Run all attacks briefly to warm up, then in full. Returns the memory after each."""
    known = await asyncio.to_thread(_create_known_ids, server)
    await _run_attacks(1 + plan.examples // 20, server, tally, known, lambda _: None)
    before = await _resting_memory(server)
    await _run_attacks(plan.examples, server, tally, known, say)
    return before, await _resting_memory(server)


async def _run_attacks(examples: int, server: Server, tally: Tally, known: list[str], say: Say) -> None:
    begun = monotonic()

    def tell(what: str) -> None:
        say(f"{monotonic() - begun:4.0f} s, {what}: {tally.cases.total()} cases, {len(tally.violations)} violations")

    # There are two dozen root fields, each attacked as two callers.
    await asyncio.to_thread(documents.attack, server, tally, 1 + examples // 20, known)
    tell("documents")
    for kind in (requests, frames):
        await asyncio.to_thread(kind.attack, server, tally, examples)
        tell(kind.__name__.rpartition(".")[2])
    for name, flood in floods.FLOODS.items():
        await flood(server, tally, max(10, min(examples, 1_000)))
        tell(name)


def _create_known_ids(server: Server) -> list[str]:
    """Register and offer an image, and return its ID and those of the tenants involved."""
    token = server.token("1")
    image = server.register(token, visibility="SHARED")
    server.do("offerImage", token, imageId=image, tenantIds=["2", "3"])
    return [image, "1", "2", ""]


async def _resting_memory(server: Server) -> int:
    """The memory once only the writers' connections are left."""
    await wait_until(lambda: connection_count(server.port) <= len(OWNERS) + 1)
    return memory_of(server.process.pid)


def _check_memory(memory: tuple[int, int], outcome: Outcome) -> None:
    before, after = memory
    outcome.figures["memory in MB, before and after"] = round(before / 1e6, 1), round(after / 1e6, 1)
    if after - before > GROWTH_BYTES:
        outcome.violations.append(f"the memory has grown by {(after - before) / 1e6:.0f} MB")


async def _check_rows(writers: list[Writer], archive: Archive, outcome: Outcome) -> None:
    """Check that each acknowledged mutation is logged, and that replaying the log gives the members table."""
    attempts = by_image(writers)
    outcomes = [attempt.outcome for tried in attempts.values() for attempt in tried]
    found = verdict.check_log(await archive.whole_log(), await archive.members(), attempts)
    await archive.close()
    outcome.figures["mutations acknowledged meanwhile"] = outcomes.count(ACKNOWLEDGED)
    outcome.figures["answers lost"] = outcomes.count(LOST)
    outcome.figures["rows lost"] = len(found)
    outcome.violations += found
    if not outcomes.count(ACKNOWLEDGED):
        outcome.violations.append("nobody was served meanwhile")


def _check_log(server: Server, outcome: Outcome) -> None:
    """Check that no attack caused a traceback or an error in the log."""
    lines = server.log.splitlines()
    traces = [line for line in lines if "Traceback" in line or "never awaited" in line]
    errors = [line for line in lines if line.startswith("{") and json.loads(line)["level"] in ("error", "critical")]
    outcome.figures["tracebacks in the log"] = len(traces)
    outcome.violations += [f"in the log: {line[:300]} ... {line[-1_200:]}" for line in {*traces, *errors}][:10]
