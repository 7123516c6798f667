"""One run: writers, watchers and faults, then a quiet period, then the verdict."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from app.events.cursor import Seal
from tests.chaos import verdict
from tests.chaos.field import STALL_SECONDS, RunPlan, System, run_system
from tests.chaos.watchers import Watcher
from tests.chaos.writers import LOST, by_image
from tests.harness.waiting import wait_until

SETTLE_SECONDS = 90
CALM_SECONDS = 2
Say = Callable[[str], None]


@dataclass
class Outcome:
    violations: list[str]
    figures: dict[str, Any]


async def run(plan: RunPlan, folder: Path, say: Say) -> Outcome:
    """Run under faults, wait until all watches have caught up, stop, and check what they received."""
    async with run_system(plan, folder) as place:
        await place.wait_until_ready()
        outcome = Outcome([], {})
        async with asyncio.TaskGroup() as group:
            played = asyncio.Event()
            group.create_task(place.archive.follow(played))
            group.create_task(_run_under_faults(plan, place, outcome, say, played))
        await _stop(place, outcome)
        await _check(place, outcome)
        return outcome


async def _run_under_faults(plan: RunPlan, place: System, outcome: Outcome, say: Say, played: asyncio.Event) -> None:
    ended = asyncio.Event()
    try:
        for watcher in place.watchers:
            watcher.start()
        async with asyncio.TaskGroup() as group:
            for writer in place.writers:
                group.create_task(writer.work(ended))
            await asyncio.sleep(CALM_SECONDS)  # so that the memory before the first fault is measured under load
            before = place.memory()
            group.create_task(place.faults.run(ended, plan.fault_pause))
            await _wait_and_report(plan, place, say)
            ended.set()
        await place.wait_until_ready()
        await _wait_for_watches(place, outcome)
        outcome.figures["memory of the machines in MB, before and after"] = before, place.memory()
    finally:
        for watcher in place.watchers:
            await watcher.stop()
        played.set()


async def _wait_and_report(plan: RunPlan, place: System, say: Say) -> None:
    begun, to_rotate = monotonic(), plan.plant is None
    while (passed := monotonic() - begun) < plan.seconds:
        await asyncio.sleep(min(5.0, plan.seconds - passed))  # between two progress messages
        steps = sum(len(writer.attempts) for writer in place.writers)
        received_count = sum(len(watcher.received) for watcher in place.watchers)
        faults = place.faults.thrown.total()
        say(f"{monotonic() - begun:4.0f} s: {steps} steps, {received_count} items received, {faults} faults")
        if to_rotate and passed > plan.seconds / 2:
            with suppress(Exception):  # the database is unavailable; the next check tries again
                await place.archive.rotate_epoch()
                to_rotate = False


async def _wait_for_watches(place: System, outcome: Outcome) -> None:
    """Measure how long the watches take to reach the head once the faults are over (property 8)."""
    begun, head = monotonic(), await place.archive.head()
    seal = Seal(head)

    def behind() -> list[Watcher]:
        return [watcher for watcher in place.watchers if watcher.position(seal) < head.seq]

    with suppress(TimeoutError):
        await wait_until(lambda: not behind(), SETTLE_SECONDS)
    outcome.figures["seconds from the last fault until every watch had received_count all"] = round(
        monotonic() - begun, 2
    )
    outcome.violations += [f"{_name(watcher)} never came to {head.seq}" for watcher in behind()]


async def _stop(place: System, outcome: Outcome) -> None:
    """Check that no connection is left, and that each machine stops on SIGTERM (property 9)."""

    def open_connections() -> int:
        return sum(machine.sockets() for machine in place.machines)

    with suppress(TimeoutError):
        await wait_until(lambda: not open_connections(), 3 * STALL_SECONDS + 30)
    violations = [f"{open_connections()} sockets are left after everyone has gone"] if open_connections() else []
    statuses = [await machine.stop() for machine in place.machines]
    outcome.violations += violations
    outcome.violations += [f"exit statuses after SIGTERM: {statuses}"] if any(statuses) or None in statuses else []


async def _check(place: System, outcome: Outcome) -> None:
    changes, seal = await place.archive.whole_log(), Seal(await place.archive.head())
    attempts = by_image(place.writers)
    outcome.violations += verdict.check_log(changes, await place.archive.members(), attempts)
    for watcher in place.watchers:
        trouble = (
            verdict.check_watch(watcher, changes, place.archive, seal) if watcher.received else "received_count nothing"
        )
        outcome.violations += [f"{_name(watcher)}: {trouble}"] if trouble else []
        outcome.violations += [f"{_name(watcher)} ended: {watcher.trouble!r}"] if watcher.trouble else []
    outcome.violations += verdict.check_groups(place.watchers)
    outcome.figures |= {
        "events in the log": len(changes),
        "of them dropped by retention": (await place.archive.head()).floor,
        "steps asked for": sum(map(len, attempts.values())),
        "answers lost": sum(attempt.outcome == LOST for tried in attempts.values() for attempt in tried),
        "watches": len(place.watchers),
        "connections of watches": sum(watcher.connections for watcher in place.watchers),
        "starts of the machines": [machine.starts for machine in place.machines],
        "faults thrown": dict(place.faults.thrown.most_common()),
        **_received_figures(place.watchers),
    }


def _received_figures(watchers: list[Watcher]) -> dict[str, Any]:
    items = [received_count.item for watcher in watchers for received_count in watcher.received]
    return {
        "items received": dict(Counter(item["__typename"] for item in items).most_common()),
        "resets by reason": dict(Counter(item["reason"] for item in items if "reason" in item).most_common()),
    }


def _name(watcher: Watcher) -> str:
    return f"{watcher.model.field} of {watcher.viewer.tenant_id}, {watcher.viewer.filter}, {watcher.initial}"
