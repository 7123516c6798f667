"""Reads the READMEs: their marked code blocks and tables, their links, and the set-ups for clients."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.harness.node import FOLDER, PATIENCE_SECONDS
from tests.harness.server import Server

ROOT = Path(__file__).parent.parent.parent
FRONT_DOOR = ROOT / "README.md"
CODE = ROOT / "app" / "README.md"
CLIENTS = ROOT / "app" / "web" / "clients" / "README.md"
OPERATIONS = ROOT / "docker" / "README.md"
SUITE = ROOT / "tests" / "README.md"
READMES = {path: path.read_text() for path in (FRONT_DOOR, CODE, CLIENTS, OPERATIONS, SUITE)}
DOCUMENTATION = "\n".join(READMES.values())
SETUPS = CLIENTS.parent / "setups"
NGINX = OPERATIONS.parent / "nginx.conf"
DEFAULT_PLACE = "127.0.0.1:8000"
_CODE_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_RELAY_TAG = re.compile(r"graphql`(?:query|mutation|subscription) (\w+).*?`", re.DOTALL)


def block(mark: str) -> str:
    """The code block under a mark, which must be unique."""
    found = re.findall(rf"<!-- {re.escape(mark)} -->\n```\w+\n(.*?)^```$", DOCUMENTATION, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, mark
    return found[0]


def block_for(server: Server, mark: str) -> str:
    """The code block under a mark, pointed at a running server."""
    return _with_address(server, block(mark))


def table(mark: str) -> list[list[str]]:
    """The rows of the table under a mark, without its header, as lists of cells."""
    found = re.findall(rf"<!-- {re.escape(mark)} -->\n((?:\|.*\n)+)", DOCUMENTATION)
    assert len(found) == 1, mark
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[0].splitlines()[2:]]


def links(text: str) -> Iterator[str]:
    """The targets of the links in a README, except those to other sites."""
    targets: list[str] = re.findall(r"\]\(([^)\s]+)\)", _CODE_BLOCK.sub("", text))
    return (target for target in targets if "://" not in target)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a README."""
    headings: list[str] = re.findall(r"^#+ (.*)$", _CODE_BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def write_setups(folder: Path, server: Server) -> None:
    """Write the set-ups into a folder, with the files that the guide says to put next to them."""
    for setup in SETUPS.iterdir():
        (folder / setup.name).write_text(_with_address(server, setup.read_text()))
    (folder / "front.mjs").write_text(block_for(server, "front end: a query and a watch"))
    (folder / "resumable.js").write_text(server.client.get("/resumable.js").text)
    shutil.copy(FOLDER / "readme" / "session.js", folder)
    shutil.copy(ROOT / "schema.graphql", folder)
    _compile_for_relay(folder)


def _with_address(server: Server, text: str) -> str:
    return text.replace(DEFAULT_PLACE, server.base.removeprefix("http://"))


def _compile_for_relay(folder: Path) -> None:
    """Compile the operations and replace them by the result, as a bundler's plug-in does."""
    compiler = str(FOLDER / "node_modules" / ".bin" / "relay-compiler")
    compiled = subprocess.run([compiler], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    source = (folder / "relay.js").read_text()
    imports = [f"import {name} from './__generated__/{name}.graphql.js';\n" for name in _RELAY_TAG.findall(source)]
    (folder / "relay.js").write_text("".join(imports) + _RELAY_TAG.sub(r"\1", source))
