"""The short form of `python -m tests.soak`, and tests of its checks of latency and memory."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.soak.faults import Window
from tests.soak.load import Read
from tests.soak.run import RunPlan, run
from tests.soak.verdict import MemorySample, check_memory, check_reads

CALM, FAULT = Window(0, 100), Window(200, 300)
QUIET = [Read(moment, 0.01, None) for moment in range(100)]


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.usefixtures("new_interpreters")
async def test_nothing_is_lost_in_restarts_of_a_worker_and_of_the_database() -> None:
    # Not below pytest's own folder: PostgreSQL may run as another user, and its socket needs a short path.
    with TemporaryDirectory(prefix="soak-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240  # nothing else runs yet
        outcome = await run(RunPlan(15, watchers=12), Path(folder), print)

    print(outcome.figures)
    assert outcome.violations == []
    assert outcome.figures["mutations acknowledged"] > 0
    assert outcome.figures["restarts"]


@pytest.mark.parametrize(
    ("later", "found"),
    [
        ([Read(moment, 0.029, None) for moment in range(101, 199)], []),
        ([Read(moment, 0.031, None) for moment in range(101, 199)], ["gone from 10.0 to 31.0 ms"]),
        ([*QUIET, *(Read(moment, 0.9, "cut") for moment in range(200, 300)), Read(301, 0.01, None)], []),
        ([Read(110, 0.01, "cut"), Read(120, 0.01, None)], ["outside the faults failed: cut"]),
        ([Read(190, 9, None), Read(195, 15, "cut"), Read(120, 0.01, None), Read(121, 0.01, None)], ["gone from"]),
    ],
)
def test_reads_outside_the_faults_may_neither_fail_nor_take_three_times_as_long(
    later: list[Read], found: list[str]
) -> None:
    violations, _ = check_reads([*QUIET, *later], CALM, [FAULT], judged=True)

    assert len(violations) == len(found)
    assert all(part in violation for part, violation in zip(found, violations, strict=True))


@pytest.mark.parametrize(("growth", "found"), [(0, 0), (50_000, 0), (200_000, 1)])
def test_a_worker_that_grows_in_the_second_half_is_named(growth: int, found: int) -> None:
    steady = [MemorySample(moment, 1, 100_000_000) for moment in range(200)]
    other = [MemorySample(moment, 2, 100_000_000 + growth * moment) for moment in range(200)]

    assert len(check_memory([*steady, *other], 100, judged=True)[0]) == found
    assert check_memory([*steady, *other], 100, judged=False)[0] == []


def test_a_worker_that_began_later_can_not_be_judged() -> None:
    assert check_memory([MemorySample(moment, moment, 1) for moment in range(200)], 100, judged=True)[0]
