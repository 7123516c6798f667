"""Runs the system under test: machines, database, proxies, writers and watchers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.model import Role
from app.web.callers.identity import SharedSecret
from tests.chaos.archive import Archive
from tests.chaos.faults import Faults
from tests.chaos.machines import Database, Machine
from tests.chaos.proxy import Connect, Proxy
from tests.chaos.watchers import Watcher, make_watchers
from tests.chaos.writers import Writer
from tests.harness.databases import upgrade
from tests.harness.gateway import settings_for

OWNERS = [str(number) for number in range(1, 7)]
TOKEN_SECONDS = 20
READY_SECONDS = 90
STALL_SECONDS = 3
# Short times and small sizes, so that a minute covers what takes days in production.
SETTINGS: dict[str, Any] = {
    "bookmark_seconds": 1,
    "stall_seconds": STALL_SECONDS,
    "keep_alive_seconds": 5,
    "event_retention": "PT4S",
    "event_retention_count": 60,
    "feed_ring_size": 40,
    "drain_seconds": 2,
    "log_level": "warning",
}


@dataclass(frozen=True)
class RunPlan:
    """The parameters of a run. `plant` names a bug that the verdict must find."""

    seconds: float
    engine: str
    watchers: int
    seed: str
    plant: str | None = None
    fault_pause: float = 1.0
    write_pause: float = 0.08


@dataclass
class System:
    """The machines and their database, and the clients that use them through one balancer."""

    machines: list[Machine]
    balancer: Proxy
    archive: Archive
    faults: Faults
    writers: list[Writer]
    watchers: list[Watcher]

    async def wait_until_ready(self) -> None:
        async with asyncio.timeout(READY_SECONDS):
            while not all([await machine.is_ready() for machine in self.machines]):
                await asyncio.sleep(0.2)  # each check is a request

    def memory(self) -> list[int]:
        """The memory of each machine in megabytes."""
        return [round(machine.memory() / 1e6) for machine in self.machines]


def mint(tenant_id: str, *roles: str) -> str:
    """A token that expires in the middle of a run."""
    secret = SharedSecret(settings_for("sqlite+aiosqlite://"))
    known = frozenset(Role(role) for role in roles or ("admin",))
    return secret.mint(tenant_id, known, timedelta(seconds=TOKEN_SECONDS), "chaos")


@asynccontextmanager
async def run_system(plan: RunPlan, folder: Path) -> AsyncGenerator[System]:
    """Run the system on one engine until the block ends."""
    database = None if plan.engine == "sqlite" else await asyncio.to_thread(Database, folder)
    try:
        url = database.url if database else f"sqlite+aiosqlite:///{folder / 'gateway.db'}"
        await asyncio.to_thread(upgrade, url)
        machines = await _machines(plan, folder, url, database)
        async with _archive(url) as archive, _keep_running(machines), _run_front_proxy(machines) as (balancer, port):
            http, ws = f"http://127.0.0.1:{port}/graphql", f"ws://127.0.0.1:{port}/graphql"
            writers = [Writer(http, mint, owner, f"{plan.seed}-{owner}", plan.write_pause) for owner in OWNERS]
            watchers = make_watchers(ws, mint, OWNERS, plan.watchers)
            faults = Faults(machines, database, url, balancer, watchers, plan.seed)
            yield System(machines, balancer, archive, faults, writers, watchers)
    finally:
        if database is not None:
            await asyncio.to_thread(database.close)


@asynccontextmanager
async def _archive(url: str) -> AsyncGenerator[Archive]:
    archive = Archive(url)
    try:
        await archive.begin()
        yield archive
    finally:
        await archive.close()


async def _machines(plan: RunPlan, folder: Path, url: str, database: Database | None) -> list[Machine]:
    """One machine on SQLite; two on PostgreSQL, with three workers in all."""
    module = "tests.chaos.buggy_gateway" if plan.plant else "app"
    if database is None:
        return [Machine(folder / "one", url, module, **SETTINGS)]
    doors = [await database.proxied_url(folder / name) for name in ("one", "two")]
    return [
        Machine(folder / "one", doors[0], module, **SETTINGS, workers=2),
        Machine(folder / "two", doors[1], module, **SETTINGS),
    ]


@asynccontextmanager
async def _keep_running(machines: list[Machine]) -> AsyncGenerator[None]:
    keepers = [asyncio.create_task(machine.keep_running()) for machine in machines]
    try:
        yield
    finally:
        await asyncio.gather(*(machine.stop() for machine in machines))
        await asyncio.gather(*keepers)


@asynccontextmanager
async def _run_front_proxy(machines: list[Machine]) -> AsyncGenerator[tuple[Proxy, int]]:
    balancer = Proxy([_connector(machine.port) for machine in machines])
    server = await asyncio.start_server(balancer.serve, "127.0.0.1", 0)
    try:
        yield balancer, server.sockets[0].getsockname()[1]
    finally:
        server.close()


def _connector(port: int) -> Connect:
    return lambda: asyncio.open_connection("127.0.0.1", port)
