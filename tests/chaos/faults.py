"""What can go wrong in the field, each with its own end. Which comes next is thrown with a seed."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from tests.chaos.machines import Database, Machine, stop_for
from tests.chaos.proxy import Link, Proxy
from tests.chaos.watchers import Watcher
from tests.harness.outages import away


class Faults:
    """The faults of one run, and how often each was done."""

    def __init__(
        self,
        machines: Sequence[Machine],
        database: Database | None,
        url: str,
        balancer: Proxy,
        watchers: Sequence[Watcher],
        seed: str,
    ) -> None:
        self._machines = machines
        self._database = database
        self._url = url
        self._balancer = balancer
        self._watchers = watchers
        self._random = random.Random(seed)
        self._restarting = asyncio.Lock()
        self.done: Counter[str] = Counter()

    async def strike(self, ended: asyncio.Event, pause: float) -> None:
        """One fault after the other, often two at a time."""
        under_way: set[asyncio.Future[Any]] = set()
        while not ended.is_set():
            fault = self._random.choice(self._kinds())
            self.done[fault.__name__.strip("_").replace("_", " ")] += 1
            under_way.add(asyncio.ensure_future(fault()))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._random.uniform(0.3, 1.7) * pause):
                    await ended.wait()
            under_way = {task for task in under_way if not task.done()}
        if under_way:
            await asyncio.wait(under_way)

    def _kinds(self) -> list[Callable[[], Awaitable[Any]]]:
        always = [
            self._kill,
            self._terminate,
            self._pause,
            self._cut_lines,
            self._blackhole_clients,
            self._slow_lines,
            self._stall_readers,
            self._clients_abort,
        ]
        if self._database is None:
            return [*always, self._lock_the_file]
        return [
            *always,
            self._kill_a_worker,
            self._restart_database,
            self._end_listeners,
            self._lose_hints,
            self._delay_hints,
            self._part_from_database,
        ]

    async def _kill(self) -> None:
        self._machine().signal(signal.SIGKILL)

    async def _terminate(self) -> None:
        self._machine().signal(signal.SIGTERM)

    async def _kill_a_worker(self) -> None:
        for pid in self._random.sample(workers := self._machine().workers(), min(1, len(workers))):
            stop_for(pid, signal.SIGKILL)

    async def _pause(self) -> None:
        """SIGSTOP for a while: the process is there, and does nothing."""
        workers = self._machine().workers()
        if workers and stop_for(pid := self._random.choice(workers), signal.SIGSTOP):
            await self._a_while(2, 6)
            stop_for(pid, signal.SIGCONT)

    async def _cut_lines(self) -> None:
        for link in self._lines(0.5):
            link.cut()

    async def _blackhole_clients(self) -> None:
        await self._hold(self._balancer, self._random.randrange(len(self._machines)))

    async def _slow_lines(self) -> None:
        lines = self._lines(0.3)
        for link in lines:
            link.slow = True
        await self._a_while(2, 5)
        for link in lines:
            link.slow = False

    async def _stall_readers(self) -> None:
        lines = self._lines(0.2)
        for link in lines:
            link.stall(True)
        await self._a_while(1, 6)
        for link in lines:
            link.stall(False)

    async def _clients_abort(self) -> None:
        chosen = self._random.sample(list(self._watchers), len(self._watchers) // 4)
        await asyncio.gather(*(watcher.restart() for watcher in chosen))

    async def _restart_database(self) -> None:
        assert self._database is not None
        if not self._restarting.locked():
            async with self._restarting:
                await self._database.restart(self._random.uniform(0, 3))

    async def _end_listeners(self) -> None:
        assert self._database is not None
        with suppress(Exception):  # the database itself may be away just now
            await asyncio.to_thread(self._database.end_listeners)

    async def _lose_hints(self) -> None:
        lines = self._database_lines()
        for link in lines:
            link.loses_hints = True
        await self._a_while(2, 5)
        for link in lines:
            link.loses_hints = False

    async def _delay_hints(self) -> None:
        lines = [link for link in self._database_lines() if link.listens]
        for link in lines:
            link.stall(True)
        await self._a_while(1, 4)
        for link in lines:
            link.stall(False)

    async def _part_from_database(self) -> None:
        assert self._database is not None
        await self._hold(self._random.choice(self._database.doors), 0)

    async def _lock_the_file(self) -> None:
        with suppress(Exception), away(self._url):  # it may be locked for a moment already
            await self._a_while(0.5, 3)

    async def _hold(self, proxy: Proxy, place: int) -> None:
        proxy.hold(place, True)
        await self._a_while(1, 7)
        proxy.hold(place, False)

    async def _a_while(self, least: float, most: float) -> None:
        await asyncio.sleep(self._random.uniform(least, most))

    def _machine(self) -> Machine:
        return self._random.choice(list(self._machines))

    def _lines(self, part: float) -> list[Link]:
        return [link for link in self._balancer.links if self._random.random() < part]

    def _database_lines(self) -> list[Link]:
        assert self._database is not None
        return [link for door in self._database.doors for link in door.links]
