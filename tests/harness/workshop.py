"""A workshop: a copy of the schema and of `tests/node`, where tools from npm write and a test may plant a fault."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.harness.node import FOLDER, Run

ROOT = FOLDER.parent.parent
LEFT_OUT = shutil.ignore_patterns("node_modules", "generated", "__generated__")


@dataclass(frozen=True)
class NpmSandbox:
    """It stands outside of every checkout, also because relay-compiler adds what it writes to git's index."""

    root: Path
    node: Run

    @classmethod
    def create(cls, root: Path, node: Run) -> "NpmSandbox":
        """A new workshop at this place, with the installed packages at hand."""
        sandbox = cls(root, node)
        shutil.copytree(FOLDER, sandbox.folder, ignore=LEFT_OUT)
        shutil.copy(ROOT / "schema.graphql", root)
        (sandbox.folder / "node_modules").symlink_to(FOLDER / "node_modules")
        return sandbox

    @property
    def folder(self) -> Path:
        return self.root / "tests" / "node"

    def copy_to(self, root: Path) -> "NpmSandbox":
        """The same workshop with all that was made in it, to spoil it without harm."""
        shutil.copytree(self.root, root, symlinks=True, dirs_exist_ok=True)
        return NpmSandbox(root, self.node)

    def plant(self, file: str, old: str, new: str) -> None:
        """Put a fault into a file, named from the root."""
        text = (self.root / file).read_text()
        assert old in text, f"{old!r} does not stand in {file}"
        (self.root / file).write_text(text.replace(old, new))

    def tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command that an npm package brings along."""
        return self.node(f"node_modules/.bin/{name}", *arguments, folder=self.folder)
