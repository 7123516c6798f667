"""The short form of `python -m tests.attack`."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.attack.run import Outcome, RunPlan, run
from tests.attack.tally import Tally

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("new_interpreters")]


async def _play(plan: RunPlan) -> Outcome:
    # Not below pytest's own folder: PostgreSQL may run as another user, and its socket needs a short path.
    with TemporaryDirectory(prefix="attack-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240  # nothing else runs yet
        return await run(plan, Path(folder), print)


async def test_an_attack_neither_breaks_the_gateway_nor_loses_data() -> None:
    outcome = await _play(RunPlan(64))

    print(outcome.figures)
    assert outcome.violations == []
    assert outcome.figures["cases"]["in all"] > 500
    assert outcome.figures["mutations acknowledged meanwhile"] > 0


async def test_the_verdict_of_an_attack_finds_the_planted_bugs() -> None:
    outcome = await _play(RunPlan(32, is_planted=True))

    for bug in ("status 500", "without a code", "not in the log", "in the log: "):
        assert [violation for violation in outcome.violations if bug in violation], bug


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\x0a\x0b\x0c\x0d"])
@pytest.mark.parametrize(("code", "blamed"), [(3522, 0), (3523, 1)])
def test_the_server_may_echo_the_clients_close_code_and_no_other(mask: bytes, code: int, blamed: int) -> None:
    tally, echoed = Tally(), (3522).to_bytes(2, "big")
    tally.check_close_code(
        code, b"\x81\x80" + b"\x88\x82" + mask + bytes(one ^ key for one, key in zip(echoed, mask, strict=False))
    )

    assert len(tally.violations) == blamed
