"""The short form of `python -m tests.chaos`."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.field import RunPlan
from tests.chaos.run import Outcome, run

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("new_interpreters")]


async def _play(plan: RunPlan) -> Outcome:
    # Not below pytest's own folder: PostgreSQL may run as another user, and its socket needs a short path.
    with TemporaryDirectory(prefix="chaos-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240  # nothing else runs yet
        return await run(plan, Path(folder), print)


async def test_no_watch_loses_anything_in_a_minute_of_chaos_on_two_machines() -> None:
    outcome = await _play(RunPlan(60, "postgres", watchers=36, seed="smoke"))

    print(outcome.figures)
    assert outcome.violations == []
    assert outcome.figures["events in the log"] > outcome.figures["of them dropped by retention"] > 0
    assert len(outcome.figures["faults thrown"]) > 10


async def test_no_watch_loses_anything_in_chaos_on_sqlite() -> None:
    outcome = await _play(RunPlan(20, "sqlite", watchers=36, seed="smoke"))

    print(outcome.figures)
    assert outcome.violations == []


@pytest.mark.parametrize("plant", ["bookmark-too-far", "resumes-from-now", "deaf-to-rights"])
async def test_the_verdict_of_chaos_finds_a_planted_bug(monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    monkeypatch.setenv("CHAOS_PLANT", plant)

    # Whether ten seconds reveal a bug depends on luck, so there is a second attempt.
    for seed in ("one", "two", "three"):
        outcome = await _play(RunPlan(10, "sqlite", watchers=36, seed=seed, plant=plant))
        if outcome.violations:
            return
    raise AssertionError("the bug was not found")
