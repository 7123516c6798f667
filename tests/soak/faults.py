"""Restarts workers and the database, and records when clients may notice it."""

import asyncio
import random
import signal
from collections import Counter
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from tests.chaos.machines import Database, Machine, send_signal
from tests.harness.waiting import wait_until

READY_SECONDS = 90
SETTLE_SECONDS = 3.0


class Window(NamedTuple):
    begun: float
    ended: float

    def overlaps(self, begun: float, ended: float) -> bool:
        return begun <= self.ended and ended >= self.begun


class Restarts:
    """Restarts one process after the other, and waits for each."""

    def __init__(self, machine: Machine, database: Database, seed: str) -> None:
        self._machine = machine
        self._database = database
        self._random = random.Random(seed)
        self.windows: list[Window] = []
        self.thrown: Counter[str] = Counter()

    async def run(self, ended: asyncio.Event, pause: float, workers_until: float) -> None:
        """Restart workers only until that moment, so that their memory can be measured afterwards."""
        turn = 0
        while not ended.is_set():
            kinds = ["worker killed", "database restarted", "worker ended"]
            kind = kinds[turn % 3] if monotonic() < workers_until else kinds[1]
            turn += 1
            begun = monotonic()
            await self._restart(kind)
            await self._wait_until_ready()
            await asyncio.sleep(SETTLE_SECONDS)  # clients reconnect, and a new worker fills its caches
            self.windows.append(Window(begun, monotonic()))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await ended.wait()

    async def _restart(self, kind: str) -> None:
        self.thrown[kind] += 1
        if kind == "database restarted":
            await self._database.restart(self._random.uniform(0, 2))
            return
        worker = self._random.choice(self._machine.workers())
        send_signal(worker, signal.SIGKILL if kind == "worker killed" else signal.SIGTERM)
        await wait_until(lambda: worker not in self._machine.workers(), READY_SECONDS)

    async def _wait_until_ready(self) -> None:
        async with asyncio.timeout(READY_SECONDS):
            while len(self._machine.workers()) < 2 or not await self._machine.is_ready():
                await asyncio.sleep(0.1)  # each check is a request
