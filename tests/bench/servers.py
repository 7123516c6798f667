"""Runs the compared servers, each in a process on the first core with a copy of the world."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Any

from tests.bench.workloads import BenchRequest
from tests.harness.gateway import SECRET
from tests.harness.kernel import free_port, pin_to_core, tree_cpu_of
from tests.harness.server import run_server

SERVER_CORE, LOAD_CORE = 0, 1
PATIENCE_SECONDS = 60
READS = ("point", "list", "inbox", "deep")
WORKLOADS = (*READS, "offers", "first")
OURS = "the gateway"


@dataclass(frozen=True)
class Running:
    """A running server, and the processes whose CPU time counts for its requests."""

    port: int
    pids: tuple[int, ...]

    def cpu(self) -> float:
        """The CPU time of all its processes so far, in seconds."""
        return sum(map(tree_cpu_of, self.pids))


@dataclass(frozen=True)
class Peer:
    """A server to compare: the workloads it supports, and how to start it in a folder that contains the world.

    `translate_request` converts a request to its dialect, and `translate_response` its response to the gateway's.
    """

    name: str
    workloads: tuple[str, ...]
    start: Callable[[Path], AbstractContextManager[Running]]
    translate_request: Callable[[BenchRequest], BenchRequest] = lambda ask: ask
    translate_response: Callable[[Any], Any] = lambda answer: answer


@contextmanager
def run_gateway(folder: Path, database_url: str | None = None, also: tuple[int, ...] = ()) -> Generator[Running]:
    """Run the gateway on the folder's file or on another database, whose processes count too."""
    with ExitStack() as held:
        with pin_to_core(SERVER_CORE):
            server = held.enter_context(run_server(folder, database_url=database_url, poll_seconds=0.5))
        yield Running(server.port, (server.process.pid, *also))


def python_peer(module: str) -> Callable[[Path], AbstractContextManager[Running]]:
    """A peer in Python: a module that takes the file and the port as arguments."""
    return lambda folder: run_process(folder, sys.executable, "-m", module)


@contextmanager
def run_process(folder: Path, *command: str, surroundings: Mapping[str, str] = os.environ) -> Generator[Running]:
    """Run a command with the folder's file and a free port as arguments."""
    port = free_port()
    full_command = [*command, str(folder / "gateway.db"), str(port)]
    with (folder / "server.log").open("a") as log, pin_to_core(SERVER_CORE):
        started = subprocess.Popen(full_command, env={**surroundings, "BENCH_SECRET": SECRET}, stdout=log, stderr=log)
    try:
        _wait_until_listening(port, started, folder)
        yield Running(port, (started.pid,))
    finally:
        started.kill()
        started.wait()


def _wait_until_listening(port: int, started: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if started.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"It did not start:\n{(folder / 'server.log').read_text()}") from None
            time.sleep(0.01)  # the server is still starting
