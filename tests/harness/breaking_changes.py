"""Finds schema changes that break clients of the last release and are missing from the changelog."""

import json
import re
import subprocess
from pathlib import Path

from tests.harness.node import Run

HEADING = "### Breaking"


def last_release(repository: Path) -> str | None:
    """The last tag; None before the first release."""
    described = _git(repository, "describe", "--tags", "--abbrev=0")
    return None if described.returncode else described.stdout.strip()


def undeclared_breaks(repository: Path, release: str, node: Run, scratch: Path) -> list[str]:
    """The breaking changes since a release that the changelog does not declare, as `coordinate: message`."""
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
    """The schema coordinates listed under `### Breaking` in the changelog since a release."""
    newer, section, _ = changelog.partition(f"\n## [{release.removeprefix('v')}]")
    assert section, f"CHANGELOG.md has no section for the tag {release}"
    parts = re.split(r"^(?=##)", newer, flags=re.MULTILINE)
    breaking = "".join(part for part in parts if part.startswith(HEADING))
    return set(re.findall(r"^- `([^`]+)`", breaking, flags=re.MULTILINE))


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # In a container, the checkout may belong to another user than the one running the tests.
    command = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)
