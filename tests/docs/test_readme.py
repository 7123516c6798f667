"""The READMEs: their commands, links and tables are right, and the handshake with curl works unchanged."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from app.errors import ErrorCode, NoRole, Overloaded, TokenExpired, UserErrorCode
from app.model import Role
from app.settings import FROM_FILES, PREFIX, Settings
from app.web.wire import problems
from tests.harness.commands import PATIENCE_SECONDS, ServeCommand, environment, start_serve
from tests.harness.readme import (
    DEFAULT_PLACE,
    DOCUMENTATION,
    FRONT_DOOR,
    READMES,
    ROOT,
    anchors,
    block,
    links,
    table,
)

pytestmark = pytest.mark.slow

MOST_LINES = 260
METRICS = ROOT / "app" / "web" / "monitoring"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServeCommand]:
    with start_serve(tmp_path_factory.mktemp("demo"), "--demo", "--port", "0", auth_secret=None) as server:
        yield server


@pytest.mark.parametrize(
    ("mark", "end"),
    [("command: demo", ".venv/bin/image-gateway serve --demo"), ("command: tests", ".venv/bin/pytest -q -n logical")],
)
def test_each_of_the_two_commands_is_a_single_line(mark: str, end: str) -> None:
    (line,) = block(mark).splitlines()

    assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -q -c docker/constraints.txt -e ")
    assert line.endswith(f" && {end}")


def test_the_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "docker" / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]

    assert len(pins) > 40
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []


def test_the_handshake_with_curl_works_unchanged_and_reaches_the_watch(demo: ServeCommand) -> None:
    with _watching(demo, demo.tokens["2002"]) as watch:
        assert "WatchBookmark" in next(watch)

        answers = _walk(demo)

        assert "OFFERED" in next(watch)
        assert "ANSWERED" in next(watch)

    offered, inbox, accepted, images, sent = answers
    assert offered["offerImage"] == {"members": [{"status": "PENDING"}], "errors": []}
    assert inbox["offers"]["nodes"][0]["image"]["name"] == "alpine-3"
    assert accepted["acceptOffer"] == {"member": {"status": "ACCEPTED"}, "errors": []}
    assert {"name": "alpine-3", "owner": {"id": "1001"}} in images["images"]["nodes"]
    answered = {"status": "ACCEPTED", "tenant": {"id": "2002"}, "image": {"name": "alpine-3"}}
    assert sent["sentOffers"]["nodes"][0] == answered


@pytest.mark.parametrize("mark", ["real: token", "real: house"])
def test_the_other_commands_are_spelled_right(mark: str) -> None:
    known = {"image-gateway", "pytest", "ruff", "pyright"}
    programs = re.findall(r"^\.venv/bin/([\w-]+)", block(mark), re.MULTILINE)

    assert programs
    assert set(programs) <= known


def test_every_setting_in_the_documentation_exists() -> None:
    named = set(re.findall(rf"{PREFIX}[A-Z_]+", DOCUMENTATION))

    assert named <= {
        f"{PREFIX}{name.upper()}" for name in (*Settings.model_fields, *(f"{one}_FILE" for one in FROM_FILES))
    }


@pytest.mark.parametrize(("where", "codes"), [("payload", UserErrorCode), ("top level", ErrorCode)])
def test_the_table_of_codes_names_each_code_where_it_appears_and_no_other(where: str, codes: type[StrEnum]) -> None:
    rows = table("table: codes")
    named = [code for cell, places, _ in rows if where in places for code in re.findall(r"`(\w+)`", cell)]

    assert sorted(named) == sorted(codes)
    assert [row for row in rows if not row[2] or not re.search("payload|top level", row[1])] == []


# Problems reported differently from the rest of their code, by the words that follow the code.
SPECIAL = {
    "with an expired token": TokenExpired,
    "for a token without a role": NoRole,
    "at the limit of operations": Overloaded,
}


def test_a_table_lists_how_every_transport_reports_each_code() -> None:
    rows = [(name, cells) for name, *cells in table("table: problems")]
    special = {words: cells for name, cells in rows for words in SPECIAL if words in name}
    documented = {
        code: cells for name, cells in rows if not any(words in name for words in SPECIAL) for code in _codes(name)
    }

    assert set(problems.BY_CODE) == set(ErrorCode)
    assert documented == {code: _cells(handling) for code, handling in problems.BY_CODE.items()}
    assert special == {words: _cells(problems.BY_TYPE[type_]) for words, type_ in SPECIAL.items()}


def _codes(name: str) -> list[str]:
    return re.findall(r"`([A-Z_]+)`", name)


def _cells(handling: problems.Handling) -> list[str]:
    """The cells of a row: the HTTP status, the responses to `connection_init` and to an operation, and the events."""
    in_json = "" if handling.json_status == handling.status else f", or {handling.json_status} in `application/json`"
    retry_after = "" if handling.retry_after is None else ", with `Retry-After`"
    resumed = "" if handling.on_resume == handling.on_operation else f"; a resumed watch: {_close(handling.on_resume)}"
    return [
        f"{handling.status}{in_json}{retry_after}",
        "" if handling.on_init is None else _close(handling.on_init),
        f"{_close(handling.on_operation)}{resumed}",
        "status" if handling.has_event_status else "last event",
    ]


def _close(close: problems.Close | None) -> str:
    return "`error`" if close is None else f"close {close.code}"


def test_the_tables_name_every_close_code_and_role() -> None:
    first_cells = " ".join(line.split("|")[1] for line in DOCUMENTATION.splitlines() if line.startswith("| "))
    ours = (problems.PROTOCOL_VIOLATION, problems.INVALID_TOKEN, problems.EXPIRED_TOKEN, problems.TRY_AGAIN_LATER)
    closes = (*ours, problems.SERVICE_RESTART)

    for role in Role:
        assert f"`{role}`" in first_cells
    for code in (*closes, 4406, 4408, 4409, 4429):
        assert f" {code} " in first_cells


def test_every_file_in_the_documentation_exists() -> None:
    paths = re.findall(r"`((?:app|tests|docker)/[\w/.]*|\.ci/run|schema\.graphql)`", DOCUMENTATION)

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_front_door_is_short() -> None:
    assert len(READMES[FRONT_DOOR].splitlines()) <= MOST_LINES


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_between_the_readmes_resolves(readme: Path) -> None:
    targets = [target.partition("#") for target in links(READMES[readme])]

    assert targets
    assert [target for target in targets if not _resolves(readme, *target)] == []


def test_every_readme_is_linked_from_the_front_door() -> None:
    reached = {(ROOT / target.partition("#")[0]).resolve() for target in links(READMES[FRONT_DOOR])}

    assert set(READMES) - reached <= {FRONT_DOOR}


def test_a_link_to_a_missing_heading_is_found() -> None:
    assert not _resolves(FRONT_DOOR, "docker/README.md", "#", "no-such-heading")
    assert not _resolves(FRONT_DOOR, "docker/NO.md", "", "")


def test_every_metric_in_the_table_exists() -> None:
    cells = " ".join(row[0] for row in table("table: metrics"))
    named = re.findall(r"`(?:mirror_)?(\w+?)(?:_total)?(?:\{[\w,]+\})?`", cells)
    code = "".join(path.read_text() for path in METRICS.glob("*.py"))
    known = set(re.findall(r'"(?:\{(?:PREFIX|prefix)\})?(?:mirror_)?([a-z]\w+)"', code))

    assert len(named) > 15
    assert set(named) - known == set()


def _resolves(readme: Path, file: str, _: str, anchor: str) -> bool:
    target = (readme.parent / file).resolve() if file else readme
    return target.exists() and (not anchor or anchor in anchors(READMES.get(target, "")))


def _walk(demo: ServeCommand) -> list[Any]:
    """Run the commands of the handshake in one shell, and return the data of the responses that they print."""
    for program in ("bash", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    tokens = block("walk: tokens")
    for tenant_id in ("1001", "2002"):
        tokens = tokens.replace(f"the token of tenant {tenant_id}", demo.tokens[tenant_id])
    script = tokens + block("walk: handshake").replace(DEFAULT_PLACE, demo.address)
    walked = subprocess.run(["bash", "-eu"], input=script, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (walked.returncode, walked.stderr) == (0, ""), walked
    return [json.loads(line)["data"] for line in walked.stdout.splitlines()]


@contextmanager
def _watching(demo: ServeCommand, token: str) -> Generator[Iterator[str]]:
    """The lines that watch.py prints until it is killed, once it receives nothing more."""
    program = block("walk: watch").replace(DEFAULT_PLACE, demo.address)
    surroundings = environment(auth_secret=None) | {"TOKEN": token, "NO_PROXY": "*"}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True) as process:
        too_late = Timer(PATIENCE_SECONDS, process.kill)
        too_late.start()
        try:
            assert process.stdout is not None
            yield process.stdout
        finally:
            too_late.cancel()
            process.kill()
