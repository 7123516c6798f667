"""Measures the watch: the cost of a delivery, the memory of a watcher, and the delay of a change."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx2

from tests.bench.lines import WatchConnection
from tests.harness.kernel import cpu_of, free_port, memory_of
from tests.harness.operations import MUTATIONS
from tests.harness.server import Server, run_server
from tests.harness.waiting import wait_until

# Eight fields and their objects, none of which is read from the store.
QUERY = """subscription { watchOffers { __typename cursor ... on MemberStatusChanged {
  occurredAt kind previousStatus status memberId imageId owner { id } tenant { id } } } }"""
OCCURRED = re.compile(rb'"occurredAt":"([^"]+)"')
SERVER_CORE, LOAD_CORE = 0, 1
EVENTS, SINGLE_EVENTS = 100, 20
PATIENCE_SECONDS = 300
# The kernel's unit of CPU time; less than one unit can't be distinguished from none.
TICK_SECONDS = 0.01
Emit = Callable[[int], Awaitable[None]]
Come = Callable[[range], Awaitable[None]]


class WatchFigures(NamedTuple):
    """The figures of one server with one number of watchers."""

    microseconds: float
    kilobytes: float
    median_ms: float
    p99_ms: float

    @property
    def deliveries(self) -> int:
        """Deliveries per second of CPU time."""
        return round(1e6 / self.microseconds)


@dataclass
class WatcherGroup:
    """All watchers of one server: the number of their items, and the delays."""

    size: int
    received: int = 0
    delays: list[float] = field(default_factory=list[float])
    _moments: dict[bytes, float] = field(default_factory=dict[bytes, float])

    def receive(self, payload: bytes) -> None:
        self.received += 1
        if found := OCCURRED.search(payload):
            iso_time = found.group(1)
            moment = self._moments.get(iso_time)
            if moment is None:
                moment = self._moments[iso_time] = datetime.fromisoformat(iso_time.decode()).timestamp()
            self.delays.append(datetime.now(UTC).timestamp() - moment)

    async def wait_for(self, received: int) -> None:
        await wait_until(lambda: self.received >= received, PATIENCE_SECONDS)


async def measure(pid: int, port: int, token: Callable[[int], str], emit: Emit, size: int, events: int) -> WatchFigures:
    """Measure the cost of a burst, the delay of single changes, and the memory of the watchers.

    The cost of the mutation alone is measured before they connect, and subtracted. Memory per watcher is measured from
    the first fifth on, to exclude what the server allocates once.
    """
    crowd = WatcherGroup(size)
    # The first events cost more than the following ones.
    await emit(events)
    alone = await _cost(pid, emit(events))
    async with _open_watches(port, token, crowd) as come:
        await come(range(size // 5))
        before = memory_of(pid)
        await come(range(size // 5, size))
        weight = (memory_of(pid) - before) / (size - size // 5) / 1024
        crowd.received = 0
        await _burst(crowd, emit, 5)
        cost = max(await _cost(pid, _burst(crowd, emit, events)) - alone, TICK_SECONDS) / (events * size) * 1e6
        crowd.delays.clear()
        for _ in range(SINGLE_EVENTS):
            await _burst(crowd, emit, 1)
            await asyncio.sleep(0.05)  # so that a change is not delayed by the previous one
    cut = quantiles(crowd.delays, n=100)
    return WatchFigures(cost, weight, cut[49] * 1000, cut[98] * 1000)


async def _cost(pid: int, work: Awaitable[None]) -> float:
    spent = cpu_of(pid)
    await work
    return cpu_of(pid) - spent


async def _burst(crowd: WatcherGroup, emit: Emit, events: int) -> None:
    due = crowd.received + events * crowd.size
    await asyncio.gather(emit(events), crowd.wait_for(due))


@asynccontextmanager
async def _open_watches(port: int, token: Callable[[int], str], crowd: WatcherGroup) -> AsyncGenerator[Come]:
    loop, lines = asyncio.get_running_loop(), list[WatchConnection]()

    async def come(numbers: range) -> None:
        for number in numbers:
            _, line = await loop.create_connection(
                lambda number=number: WatchConnection(port, token(number), QUERY, crowd.receive), "127.0.0.1", port
            )
            lines.append(line)
            await crowd.wait_for(len(lines) - 50)
        await crowd.wait_for(len(lines))

    try:
        yield come
    finally:
        for line in lines:
            line.close()
        await asyncio.sleep(1)  # until the server has released them too


@contextmanager
def _run_gateway(folder: Path) -> Generator[Server]:
    # A bookmark in the middle of a burst would be counted as a delivery.
    with run_server(folder, bookmark_seconds=3_600, member_quota=-1, max_connections_per_tenant=20_000) as server:
        os.sched_setaffinity(server.process.pid, {SERVER_CORE})
        yield server


def _emitter(server: Server) -> Emit:
    owner = server.token("1", "admin", "operator")

    async def emit(count: int) -> None:
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {owner}"}, timeout=60) as client:
            image = await asyncio.to_thread(server.register, owner)
            input = {"imageId": image, "tenantIds": [str(10**6 + number) for number in range(count)]}
            body = {"query": MUTATIONS["offerImage"], "variables": {"input": input}}
            answer = (await client.post(server.url, json=body)).json()
            assert len(answer["data"]["offerImage"]["members"]) == count, answer

    return emit


@contextmanager
def _run_stock(port: int) -> Generator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.bench.stock", str(port)]
    with subprocess.Popen(command) as process:
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        try:
            yield process
        finally:
            process.terminate()


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)  # it is still starting
            else:
                writer.close()
                return


async def measure_stock(size: int, rounds: int) -> list[WatchFigures]:
    """Measure unmodified Strawberry, with fewer events because each takes so long."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/emit"

    async def emit(count: int) -> None:
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            (await client.post(url, params={"count": count})).raise_for_status()

    with _run_stock(port) as process:
        await _until_listening(port)
        events = max(5, EVENTS * 200 // size // 4)
        return [await measure(process.pid, port, lambda _: "", emit, size, events) for _ in range(rounds)]


async def measure_gateway(size: int, rounds: int, one_tenant: bool = True) -> list[WatchFigures]:
    """Measure the gateway, with watchers of one tenant, who share executions, or each of another tenant."""
    with TemporaryDirectory() as folder, _run_gateway(Path(folder)) as server:
        shared = server.token("1")
        token = (lambda _: shared) if one_tenant else lambda number: server.token(str(5_000_000 + number), "operator")
        pid, port, emit = server.process.pid, server.port, _emitter(server)
        events = EVENTS if one_tenant else max(5, EVENTS // 4)
        return [await measure(pid, port, token, emit, size, events) for _ in range(rounds)]


async def compare(sizes: list[int], rounds: int, say: Callable[[str], None]) -> None:
    """Print the best round for each number of watchers, since noise only adds time."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE % (os.cpu_count() or 1)})
    try:
        await _compare(sizes, rounds, say)
    finally:
        os.sched_setaffinity(0, cores)


async def _compare(sizes: list[int], rounds: int, say: Callable[[str], None]) -> None:
    say("watchers  who                 us/delivery  deliveries/core-s  KB/watcher  p50 ms  p99 ms")
    for size in sizes:
        stock = _row(say, size, "stock Strawberry", await measure_stock(size, rounds))
        ours = _row(say, size, "the gateway", await measure_gateway(size, rounds))
        say(f"{size:8}  ratio: {stock.microseconds / ours.microseconds:.1f} times the deliveries for each core-second")
    size = min(sizes)
    _row(say, size, "  nobody alike", await measure_gateway(size, rounds, one_tenant=False))


def _row(say: Callable[[str], None], size: int, who: str, found: list[WatchFigures]) -> WatchFigures:
    best = WatchFigures(
        min(one.microseconds for one in found),
        # Only in the first round does the server hold no memory of earlier watchers.
        found[0].kilobytes,
        min(one.median_ms for one in found),
        min(one.p99_ms for one in found),
    )
    say(
        f"{size:8}  {who:18}  {best.microseconds:11.1f}  {best.deliveries:17}  {best.kilobytes:10.1f}  "
        f"{best.median_ms:6.1f}  {best.p99_ms:6.1f}"
    )
    return best
