"""Clients from npm: the packages of `tests/node`, installed once, and the programs that run there."""

import fcntl
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

FOLDER = Path(__file__).parent.parent / "node"
PATIENCE_SECONDS = 300
INSTALL = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund")

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_in_folder(*command: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder of the npm packages, to its end."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def reason_to_skip() -> str | None:
    """Why npm clients can't run here; None when they can, for which their packages are installed if need be."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    # Each process of the tests looks here; one of them installs, and the others wait for it.
    with (Path(gettempdir()) / "image-gateway-npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_installed(FOLDER):
            return None
        installed = run_in_folder(*INSTALL)
    return f"npm install failed: {installed.stderr.strip()[-300:]}" if installed.returncode else None


def is_installed(folder: Path) -> bool:
    """Whether the packages are there in the very versions that are asked for: npm notes them when it has ended."""
    required: dict[str, str] = json.loads((folder / "package.json").read_text())["dependencies"]
    try:
        recorded = json.loads((folder / "node_modules" / ".package-lock.json").read_text())["packages"]
    except FileNotFoundError:
        return False
    return all(recorded.get(f"node_modules/{name}", {}).get("version") == version for name, version in required.items())
