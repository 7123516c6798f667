"""One service of the cloud as a process: it is started, answers, is stopped, and can be started again."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx2

START_SECONDS = 120.0
STOP_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 0.1


class Process:
    """A command in a process group of its own; its output goes to a log file."""

    def __init__(
        self, command: Sequence[str], log: Path, is_ready: Callable[[], bool], environment: Mapping[str, str]
    ) -> None:
        self._command = command
        self._log = log
        self._is_ready = is_ready
        self._environment = {**os.environ, "PYTHONWARNINGS": "ignore", **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return once the service answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self._command[0]} did not start:\n{self._log.read_text()[-2_000:]}")
            time.sleep(LOOK_AGAIN_SECONDS)

    def stop(self) -> None:
        """End the service and everything that it has started."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Let the service take connections and answer nothing, as a machine does that hangs."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)


def takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_healthy(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=10, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False
