"""Background work starts in order and stops in reverse order, whatever fails."""

import pytest

from app.background import Closing, Group


class Recorder:
    def __init__(self, name: str, log: list[str], fails: str = "") -> None:
        self._name = name
        self._log = log
        self._fails = fails

    async def start(self) -> None:
        self._do("start")

    async def stop(self) -> None:
        self._do("stop")

    def _do(self, step: str) -> None:
        if step == self._fails:
            raise OSError(f"{self._name} can't {step}")
        self._log.append(f"{step} {self._name}")


async def test_components_stop_in_the_reverse_of_the_order_in_which_they_start() -> None:
    log: list[str] = []
    group = Group([Recorder("store", log), Recorder("feed", log), Recorder("budgets", log)])
    await group.start()
    await group.stop()
    assert log == ["start store", "start feed", "start budgets", "stop budgets", "stop feed", "stop store"]


async def test_when_a_component_fails_to_start_only_the_started_ones_are_stopped() -> None:
    log: list[str] = []
    group = Group([Recorder("store", log), Recorder("feed", log, fails="start"), Recorder("budgets", log)])
    with pytest.raises(OSError, match="feed can't start"):
        await group.start()
    assert log == ["start store", "stop store"]
    await group.stop()
    assert log == ["start store", "stop store"]


async def test_when_a_component_fails_to_stop_the_others_are_still_stopped() -> None:
    log: list[str] = []
    group = Group([Recorder("store", log), Recorder("feed", log, fails="stop"), Recorder("budgets", log)])
    await group.start()
    with pytest.raises(OSError, match="feed can't stop"):
        await group.stop()
    assert log[-2:] == ["stop budgets", "stop store"]


async def test_a_nested_group_starts_in_order_and_can_be_restarted() -> None:
    log: list[str] = []

    async def close() -> None:
        log.append("close file")

    inner = Group([Recorder("feed", log), Recorder("upkeep", log)])
    outer = Group([Closing(close), inner])
    for _ in range(2):
        await outer.start()
        await outer.stop()
    assert log == 2 * ["start feed", "start upkeep", "stop upkeep", "stop feed", "close file"]
