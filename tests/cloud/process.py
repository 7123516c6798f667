"""One service of the cloud as a process: it is started, answers, is stopped, and can be started again."""

import json
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.harness.waiting import block_until

START_SECONDS = 120.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Process:
    """A command in a process group of its own, described in a file: any process may stop it and start it again.

    `address` is an HTTP URL that answers with 200, or a port that takes connections, once the service is ready.
    """

    file: Path
    command: Sequence[str]
    log: Path
    address: str
    environment: Mapping[str, str]

    def start(self) -> None:
        """Return once the service answers."""
        pid = self._spawn()
        self.file.with_suffix(".pid").write_text(str(pid))
        self.file.write_text(json.dumps(asdict(self), default=str))
        with suppress(TimeoutError):
            block_until(lambda: answers(self.address) or not _is_running(pid), START_SECONDS)
        if not answers(self.address):
            self.stop()
            raise RuntimeError(f"{self.command[0]} did not start:\n{self.log.read_text()[-2_000:]}")

    def stop(self) -> None:
        """End the service and everything that it has started."""
        if (pid := self._pid) is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _wait_for_end(pid)
        self.kill()

    def kill(self) -> None:
        """End all of its processes at once."""
        if (pid := self._pid) is None:
            return
        with suppress(ProcessLookupError):
            self._signal(signal.SIGKILL)
        _wait_for_end(pid)
        self.file.with_suffix(".pid").unlink()

    def freeze(self) -> None:
        """Let the service take connections and answer nothing, as a machine does that hangs."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def _pid(self) -> int | None:
        file = self.file.with_suffix(".pid")
        return int(file.read_text()) if file.exists() else None

    def _signal(self, number: signal.Signals) -> None:
        assert self._pid is not None
        os.killpg(self._pid, number)

    def _spawn(self) -> int:
        """Not by `subprocess`, whose processes are those of an object."""
        appended = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self.log), appended, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore", **self.environment}
        program = self.command[0]
        return os.posix_spawnp(program, list(self.command), environment, file_actions=files, setsid=True)


def described(file: Path) -> Process:
    """The process that was started with this file."""
    facts: dict[str, Any] = json.loads(file.read_text())
    return Process(file, facts["command"], Path(facts["log"]), facts["address"], facts["environment"])


def answers(address: str) -> bool:
    return is_healthy(address) if address.startswith("http") else takes_connections(int(address))


def takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_healthy(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=10, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False


def _wait_for_end(pid: int) -> None:
    with suppress(TimeoutError):
        block_until(lambda: not _is_running(pid), STOP_SECONDS)


def _is_running(pid: int) -> bool:
    """Whether the process runs; one that has ended is reaped if it is a child of this process."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
