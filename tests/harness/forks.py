"""Starts `image-gateway` processes; in the test suite, by forking a process that has already imported it.

An import of the gateway takes seconds of CPU time, and the suite starts it hundreds of times. A forked process has its
own environment, folder, descriptors, signals and exit status, like one that `python -m app` starts.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO

ROOT = Path(__file__).parent.parent.parent
# Benchmarks and long runs start new interpreters, as operators do. The suite sets this in `tests/conftest.py`.
forking = False


@contextmanager
def launch(
    arguments: list[str], folder: Path, environment: dict[str, str], log: IO[str], module: str = "app"
) -> Generator["Process"]:
    """`python -m app` with these arguments, its output a pipe and its errors in the log, until the block ends."""
    if forking and module == "app":
        process = ForkedProcess(arguments, folder, environment, log)
    else:
        command = [sys.executable, "-m", module, *arguments]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


class ForkedProcess:
    """A running command, with the methods of `subprocess.Popen` that the tests use. Its output is a pipe."""

    def __init__(self, arguments: list[str], folder: Path, environment: dict[str, str], log: IO[str]) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._lock = Lock()
        output, write_output = os.pipe()
        status, write_status = os.pipe()
        request = {"arguments": arguments, "folder": str(folder), "environment": environment}
        descriptors = [write_output, log.fileno(), write_status]
        try:
            socket.send_fds(fork_server(), [json.dumps(request).encode()], descriptors)
        finally:
            os.close(write_output)
            os.close(write_status)
        self.stdout = os.fdopen(output)
        self._status = os.fdopen(status)
        self.pid = int(self._status.readline())

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, negative for a signal. Raises subprocess.TimeoutExpired."""
        with self._lock:
            if self.returncode is None:
                if not select.select([self._status], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                self.returncode = int(self._status.readline())
                self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def fork_server() -> socket.socket:
    """The socket of this process's fork server, which ends when it is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.harness.fork_server", str(theirs.fileno())]
    with theirs:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        )

    def stop() -> None:
        ours.close()
        process.wait()

    atexit.register(stop)
    return ours


Process = ForkedProcess | subprocess.Popen[str]
