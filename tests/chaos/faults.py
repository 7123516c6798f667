"""The faults of a run, each of which ends by itself. A seeded random generator chooses them."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from tests.chaos.machines import Database, Machine, send_signal
from tests.chaos.proxy import Link, Proxy
from tests.chaos.watchers import Watcher
from tests.harness.outages import database_outage


class Faults:
    """Causes faults, and counts them. A machine may already be down when a fault begins."""

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
        self.thrown: Counter[str] = Counter()

    async def run(self, ended: asyncio.Event, pause: float) -> None:
        """Cause one fault after the other, often two at a time."""
        under_way: set[asyncio.Future[Any]] = set()
        while not ended.is_set():
            fault = self._random.choice(self._kinds())
            self.thrown[fault.__name__.strip("_").replace("_", " ")] += 1
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
            self._cut_connections,
            self._blackhole_clients,
            self._slow_connections,
            self._stall_readers,
            self._abort_clients,
        ]
        if self._database is None:
            return [*always, self._lock_the_file]
        return [
            *always,
            self._kill_a_worker,
            self._restart_database,
            self._terminate_listeners,
            self._lose_hints,
            self._delay_hints,
            self._isolate_from_database,
        ]

    async def _kill(self) -> None:
        self._machine().signal(signal.SIGKILL)

    async def _terminate(self) -> None:
        self._machine().signal(signal.SIGTERM)

    async def _kill_a_worker(self) -> None:
        if workers := self._machine().workers():
            send_signal(self._random.choice(workers), signal.SIGKILL)

    async def _pause(self) -> None:
        """SIGSTOP for a while: the process exists, but hangs."""
        workers = self._machine().workers()
        if workers and send_signal(pid := self._random.choice(workers), signal.SIGSTOP):
            await self._sleep(2, 6)
            send_signal(pid, signal.SIGCONT)

    async def _cut_connections(self) -> None:
        for link in self._client_links(0.5):
            link.cut()

    async def _blackhole_clients(self) -> None:
        await self._hold(self._balancer, self._random.randrange(len(self._machines)))

    async def _slow_connections(self) -> None:
        await self._for_a_while(self._client_links(0.3), Link.slow_down, 2, 5)

    async def _stall_readers(self) -> None:
        await self._for_a_while(self._client_links(0.2), Link.stall, 1, 6)

    async def _abort_clients(self) -> None:
        chosen = self._random.sample(list(self._watchers), len(self._watchers) // 4)
        await asyncio.gather(*(watcher.restart() for watcher in chosen))

    async def _restart_database(self) -> None:
        assert self._database is not None
        async with self._restarting:
            await self._database.restart(self._random.uniform(0, 3))

    async def _terminate_listeners(self) -> None:
        assert self._database is not None
        with suppress(Exception):  # the database itself may be unavailable now
            await asyncio.to_thread(self._database.terminate_listeners)

    async def _lose_hints(self) -> None:
        await self._for_a_while(self._database_links(), Link.lose_hints, 2, 5)

    async def _delay_hints(self) -> None:
        await self._for_a_while([link for link in self._database_links() if link.listens], Link.stall, 1, 4)

    async def _isolate_from_database(self) -> None:
        assert self._database is not None
        await self._hold(self._random.choice(self._database.doors), 0)

    async def _lock_the_file(self) -> None:
        with suppress(Exception), database_outage(self._url):  # it may already be locked
            await self._sleep(0.5, 3)

    async def _for_a_while(
        self, lines: list[Link], treat: Callable[[Link, bool], None], least: float, most: float
    ) -> None:
        for link in lines:
            treat(link, True)
        await self._sleep(least, most)
        for link in lines:
            treat(link, False)

    async def _hold(self, proxy: Proxy, place: int) -> None:
        proxy.hold(place, True)
        await self._sleep(1, 7)
        proxy.hold(place, False)

    async def _sleep(self, least: float, most: float) -> None:
        await asyncio.sleep(self._random.uniform(least, most))  # the duration of the fault

    def _machine(self) -> Machine:
        return self._random.choice(list(self._machines))

    def _client_links(self, part: float) -> list[Link]:
        return [link for link in self._balancer.links if self._random.random() < part]

    def _database_links(self) -> list[Link]:
        assert self._database is not None
        return [link for door in self._database.doors for link in door.links]
