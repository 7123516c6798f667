"""A copy of the schema and of `tests/node` in which npm tools may write and tests may break files."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.harness.node import FOLDER, Run

ROOT = FOLDER.parent.parent
LEFT_OUT = shutil.ignore_patterns("node_modules", "generated", "__generated__")


@dataclass(frozen=True)
class NpmSandbox:
    """A copy outside of any checkout, because relay-compiler adds its output to git's index."""

    root: Path
    node: Run

    @classmethod
    def create(cls, root: Path, node: Run) -> "NpmSandbox":
        """Create a sandbox in this folder, with the installed packages."""
        sandbox = cls(root, node)
        shutil.copytree(FOLDER, sandbox.folder, ignore=LEFT_OUT)
        shutil.copy(ROOT / "schema.graphql", root)
        (sandbox.folder / "node_modules").symlink_to(FOLDER / "node_modules")
        return sandbox

    @property
    def folder(self) -> Path:
        return self.root / "tests" / "node"

    def copy_to(self, root: Path) -> "NpmSandbox":
        """Copy this sandbox with everything generated in it, so that the copy can be modified."""
        shutil.copytree(self.root, root, symlinks=True, dirs_exist_ok=True)
        return NpmSandbox(root, self.node)

    def plant(self, file: str, old: str, new: str) -> None:
        """Replace a text in a file, whose path is relative to the root."""
        text = (self.root / file).read_text()
        assert old in text, f"{old!r} is not in {file}"
        (self.root / file).write_text(text.replace(old, new))

    def tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of an npm package."""
        return self.node(f"node_modules/.bin/{name}", *arguments, folder=self.folder)
