"""Whether the schema breaks the clients of the last release without a word in the changelog."""

import json
import re
import subprocess
from pathlib import Path

from tests.harness.node import Run

HEADING = "### Breaking"


def last_release(repository: Path) -> str | None:
    """The last tag; None where there is none, and so no client to break."""
    described = _git(repository, "describe", "--tags", "--abbrev=0")
    return None if described.returncode else described.stdout.strip()


def undeclared_breaks(repository: Path, release: str, node: Run, scratch: Path) -> list[str]:
    """What breaks the clients of the release and is not declared, each by its coordinate and in a sentence."""
    shown = _git(repository, "show", f"{release}:schema.graphql")
    assert shown.returncode == 0, shown.stderr
    (scratch / "released.graphql").write_text(shown.stdout)
    compared = node("breaking.mjs", str(scratch / "released.graphql"), str(repository / "schema.graphql"))
    assert compared.returncode == 0, compared.stderr
    declared = declared_breaks((repository / "CHANGELOG.md").read_text(), release)
    return [
        f"{broken['path']}: {broken['message']}"
        for broken in json.loads(compared.stdout)
        if broken["path"] not in declared
    ]


def declared_breaks(changelog: str, release: str) -> set[str]:
    """The coordinates that begin an item under `### Breaking`: unreleased, or in a release that is being prepared."""
    newer, section, _ = changelog.partition(f"\n## [{release.removeprefix('v')}]")
    assert section, f"CHANGELOG.md has no section for the tag {release}"
    parts = re.split(r"^(?=##)", newer, flags=re.MULTILINE)
    breaking = "".join(part for part in parts if part.startswith(HEADING))
    return set(re.findall(r"^- `([^`]+)`", breaking, flags=re.MULTILINE))


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The checkout may belong to another user than the one who runs the tests, as in a container.
    command = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)
