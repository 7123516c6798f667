"""Runs the `image-gateway` command in processes that see only the settings of the test."""

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import Any

from app.settings import PREFIX
from tests.harness.forks import Process, launch
from tests.harness.gateway import SECRET
from tests.harness.waiting import PATIENCE_SECONDS


def environment(**settings: Any) -> dict[str, str]:
    """The environment of this process with only these settings; those that are None stay unset."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    configured = {"auth_secret": SECRET, **settings}
    return inherited | {
        f"{PREFIX}{name.upper()}": str(value) for name, value in configured.items() if value is not None
    }


def run(folder: Path, *arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run `image-gateway` with these arguments in the folder and wait for it to exit."""
    with TemporaryFile("w+") as errors, launch([*arguments], folder, environment(**settings), errors) as process:
        with _kill_after_timeout(process):
            assert process.stdout is not None
            output, status = process.stdout.read(), process.wait()
        errors.seek(0)
        return subprocess.CompletedProcess(list(arguments), status, output, errors.read())


def output_of(folder: Path, *arguments: str, **settings: Any) -> str:
    """The output of a command, which must succeed and write nothing to standard error."""
    result = run(folder, *arguments, **settings)
    assert (result.returncode, result.stderr) == (0, ""), result
    return result.stdout


def error_of(folder: Path, *arguments: str, **settings: Any) -> str:
    """The one-line error of a command, which must fail."""
    result = run(folder, *arguments, **settings)
    assert (result.returncode, result.stdout) == (1, ""), result
    (line,) = result.stderr.splitlines()
    assert line.startswith("image-gateway: "), line
    return line.removeprefix("image-gateway: ")


class ServeCommand:
    """A running `image-gateway serve` that has printed its greeting."""

    def __init__(self, process: Process, greeting: list[str]) -> None:
        self.process = process
        self.greeting = greeting
        self.url = next(word for line in greeting for word in line.split() if word.startswith("http://"))
        self.address = self.url.removeprefix("http://").removesuffix("/graphql")
        self.port = self.address.rpartition(":")[2]

    @property
    def tokens(self) -> dict[str, str]:
        """The demo's tokens by tenant ID; the greeting prints each below the line that names its tenant."""
        named = zip(self.greeting, self.greeting[1:], strict=False)
        return {line.split()[1]: token for line, token in named if line.startswith("Tenant ")}

    def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def start_serve(folder: Path, *arguments: str, **settings: Any) -> Generator[ServeCommand]:
    """Run `image-gateway serve` with these arguments until the block ends."""
    with (
        (folder / "server.log").open("w") as log,
        launch(["serve", *arguments], folder, environment(**settings), log) as process,
    ):
        yield ServeCommand(process, _greeting(process, folder))


def _greeting(process: Process, folder: Path) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    with _kill_after_timeout(process):
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("Stop with"):
                return lines
    raise AssertionError(f"The server did not start:\n{(folder / 'server.log').read_text()}")


@contextmanager
def _kill_after_timeout(process: Process) -> Generator[None]:
    """Kill the process if the block takes too long."""
    timer = Timer(PATIENCE_SECONDS, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
