"""Breaking schema changes are refused unless the changelog declares each of them by its coordinate."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.harness.breaking_changes import last_release, undeclared_breaks
from tests.harness.node import Run
from tests.harness.npm_sandbox import ROOT

pytestmark = pytest.mark.slow

# The field with its description.
HIDDEN = re.compile(r'  """(?:(?!""").)*"""\n  hidden: Boolean!\n', re.DOTALL)
REFUSED = ["Image.hidden: Field 'hidden' was removed from object type 'Image'"]
UNRELEASED = "# Changelog\n\n## [Unreleased]\n"
RELEASED = "\n## [1.0.0] - 2026-11-24\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout with the schema as it is, released as v1.0.0."""
    (tmp_path / "schema.graphql").write_text((ROOT / "schema.graphql").read_text())
    (tmp_path / "CHANGELOG.md").write_text(UNRELEASED + RELEASED)
    author = ("-c", "user.name=Lead", "-c", "user.email=lead@example.org", "-c", "commit.gpgsign=false")
    for command in (("init",), ("add", "."), (*author, "commit", "-m", "Release"), ("tag", "--no-sign", "v1.0.0")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def change_hidden(repository: Path, new: str) -> None:
    schema, changes = HIDDEN.subn(new, (repository / "schema.graphql").read_text())
    assert changes == 1
    (repository / "schema.graphql").write_text(schema)


def undeclared_breaks_in(repository: Path, node: Run, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    release = last_release(repository)
    assert release == "v1.0.0"
    return undeclared_breaks(repository, release, node, tmp_path_factory.mktemp("released"))


def test_every_breaking_change_since_the_last_release_is_declared(node: Run, tmp_path: Path) -> None:
    release = last_release(ROOT)
    if release is None:
        print("No release is tagged yet: there is no client to break.")
        return

    assert undeclared_breaks(ROOT, release, node, tmp_path) == []


def test_without_a_tag_there_is_no_last_release(repository: Path) -> None:
    subprocess.run(["git", "tag", "--delete", "v1.0.0"], cwd=repository, check=True, capture_output=True)

    assert last_release(repository) is None


@pytest.mark.parametrize(
    ("changelog", "refused"),
    [
        (UNRELEASED + RELEASED, REFUSED),
        (UNRELEASED + "\n### Breaking\n\n- `Image.hidden` is gone: tag images instead.\n" + RELEASED, []),
        (UNRELEASED + "\n### Breaking\n\n- `Image.protected` is gone, like `Image.hidden`.\n" + RELEASED, REFUSED),
        (UNRELEASED + "\n### Breaking\n\n### Removed\n\n- `Image.hidden` is gone.\n" + RELEASED, REFUSED),
        (UNRELEASED + RELEASED + "\n### Breaking\n\n- `Image.hidden` is gone.\n", REFUSED),
        (UNRELEASED + "\n## [2.0.0]\n\n### Breaking\n\n- `Image.hidden` is gone.\n" + RELEASED, []),
    ],
    ids=["unsaid", "declared", "another", "under-another-heading", "long-ago", "in-the-release-being-prepared"],
)  # fmt: skip
def test_a_removal_is_refused_unless_it_is_declared(
    repository: Path, node: Run, tmp_path_factory: pytest.TempPathFactory, changelog: str, refused: list[str]
) -> None:
    change_hidden(repository, "")
    (repository / "CHANGELOG.md").write_text(changelog)

    assert undeclared_breaks_in(repository, node, tmp_path_factory) == refused


def test_an_addition_is_allowed(repository: Path, node: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    change_hidden(repository, r"\g<0>  expiresAt: DateTime\n")

    assert undeclared_breaks_in(repository, node, tmp_path_factory) == []
