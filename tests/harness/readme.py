"""What the README shows: its text, the code blocks under its marks, and a page made of them."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.harness.node import FOLDER, PATIENCE_SECONDS
from tests.harness.server import Server

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
DEFAULT_PLACE = "127.0.0.1:8000"
MODULES = ("gateway.js", "fetch.js", "watch.js", "apollo.js", "urql.js", "relay.js", "relay.config.json")
_RELAY_TAG = re.compile(r"graphql`(?:query|mutation|subscription) (\w+).*?`", re.DOTALL)


def block(mark: str) -> str:
    """The code block under one of the README's marks."""
    found = re.search(rf"<!-- {re.escape(mark)} -->\n```\w+\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert found, mark
    return found.group(1)


def block_for(server: Server, mark: str) -> str:
    """The same, for a server that is not where the README has it."""
    return block(mark).replace(DEFAULT_PLACE, server.base.removeprefix("http://"))


def table(mark: str) -> list[list[str]]:
    """The cells of the table under one of the README's marks, row by row, without its head."""
    found = re.search(rf"<!-- {re.escape(mark)} -->\n((?:\|.*\n)+)", README)
    assert found, mark
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found.group(1).splitlines()[2:]]


def lay_out(folder: Path, server: Server) -> None:
    """Put all the README's JavaScript into a folder, with what it tells its readers to put beside it."""
    for name in MODULES:
        (folder / name).write_text(block_for(server, f"client: {name}"))
    (folder / "resumable.js").write_text(server.client.get("/resumable.js").text)
    shutil.copy(FOLDER / "readme" / "session.js", folder)
    shutil.copy(ROOT / "schema.graphql", folder)
    _compile_for_relay(folder)


def _compile_for_relay(folder: Path) -> None:
    """Compile the operations, and put what was compiled where they stood, which is what a bundler's plug-in does."""
    compiler = str(FOLDER / "node_modules" / ".bin" / "relay-compiler")
    compiled = subprocess.run([compiler], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    source = (folder / "relay.js").read_text()
    imports = [f"import {name} from './__generated__/{name}.graphql.js';\n" for name in _RELAY_TAG.findall(source)]
    (folder / "relay.js").write_text("".join(imports) + _RELAY_TAG.sub(r"\1", source))
