"""Restarts of workers and of the database, and the windows of time in which they may be felt."""

import asyncio
import random
import signal
from collections import Counter
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from tests.chaos.machines import Database, Machine, signalled
from tests.harness.patience import wait_until

READY_SECONDS = 90
SETTLE_SECONDS = 3.0


class Window(NamedTuple):
    begun: float
    ended: float

    def touches(self, begun: float, ended: float) -> bool:
        return begun <= self.ended and ended >= self.begun


class Restarts:
    """One restart after the other, each over before the next one."""

    def __init__(self, machine: Machine, database: Database, seed: str) -> None:
        self._machine = machine
        self._database = database
        self._random = random.Random(seed)
        self.windows: list[Window] = []
        self.thrown: Counter[str] = Counter()

    async def strike(self, ended: asyncio.Event, pause: float, workers_until: float) -> None:
        """Workers too until that moment, so that each lives long enough after it to have its memory watched."""
        turn = 0
        while not ended.is_set():
            kinds = ["worker killed", "database restarted", "worker ended"]
            kind = kinds[turn % 3] if monotonic() < workers_until else kinds[1]
            turn += 1
            begun = monotonic()
            await self._throw(kind)
            await self._until_whole()
            await asyncio.sleep(SETTLE_SECONDS)  # clients come back, and a new worker fills its caches
            self.windows.append(Window(begun, monotonic()))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await ended.wait()

    async def _throw(self, kind: str) -> None:
        self.thrown[kind] += 1
        if kind == "database restarted":
            await self._database.restart(self._random.uniform(0, 2))
            return
        worker = self._random.choice(self._machine.workers())
        signalled(worker, signal.SIGKILL if kind == "worker killed" else signal.SIGTERM)
        await wait_until(lambda: worker not in self._machine.workers(), READY_SECONDS)

    async def _until_whole(self) -> None:
        async with asyncio.timeout(READY_SECONDS):
            while len(self._machine.workers()) < 2 or not await self._machine.is_ready():
                await asyncio.sleep(0.1)  # each look is a request
