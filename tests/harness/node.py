"""Installs the npm packages of `tests/node` once, and runs programs there."""

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
    """Run a command in the folder of the npm packages and wait for it to exit."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def reason_to_skip() -> str | None:
    """Install the npm packages if necessary. Returns why npm clients can't run here, or None."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    # Of the parallel test processes, one installs and the others wait for it.
    with (Path(gettempdir()) / "image-gateway-npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_installed(FOLDER):
            return None
        installed = run_in_folder(*INSTALL)
    return f"npm install failed: {installed.stderr.strip()[-300:]}" if installed.returncode else None


def is_installed(folder: Path) -> bool:
    """Whether the exact versions in package.json are installed, according to npm's lock file."""
    required: dict[str, str] = json.loads((folder / "package.json").read_text())["dependencies"]
    try:
        recorded = json.loads((folder / "node_modules" / ".package-lock.json").read_text())["packages"]
    except FileNotFoundError:
        return False
    return all(recorded.get(f"node_modules/{name}", {}).get("version") == version for name, version in required.items())
