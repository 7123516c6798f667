"""The share of the event loop for the watches of one tenant: excess work waits its turn, and nothing is lost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.api.operation import loop_share as module
from app.api.operation.loop_share import LoopShares, ShuttingDown
from tests.harness.waiting import wait_until


class Clocks:
    """The time and the CPU time of the event loop, both advanced by the test."""

    def __init__(self) -> None:
        self.now = self.worked = 0.0

    def turns(self, share: float = 0.25) -> LoopShares:
        return LoopShares(share, lambda: False, lambda: self.now, lambda: self.worked)

    def work(self, seconds: float) -> Callable[[], Awaitable[bytes]]:
        async def worked() -> bytes:
            self.worked += seconds
            return b"x" * 1_000_000

        return worked


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_tenant_beyond_its_share_waits_until_it_recovers_and_others_do_not() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    await turns.run("1", clocks.work(1.25), len)

    late = asyncio.create_task(turns.run("1", clocks.work(0), len))
    await turns.run("2", clocks.work(1.25), len)
    clocks.now = 3.9  # at a share of a quarter, a second of work is earned in four
    await asyncio.sleep(2 * module.LONGEST_PAUSE)
    assert not late.done()
    clocks.now = 4.1

    assert await late


async def test_nobody_waits_within_the_share_and_unused_share_is_not_saved() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    for second in range(100):
        clocks.now = float(second)
        await turns.run("1", clocks.work(0.2), len)
    clocks.now = 1_000.0
    await turns.run("1", clocks.work(0.26), len)

    late = asyncio.create_task(turns.run("1", clocks.work(0), len))
    await settled()
    assert not late.done()
    late.cancel()


async def test_concurrent_turns_are_limited_and_charged_once() -> None:
    clocks, running, most = Clocks(), 0, 0
    turns, going = clocks.turns(), asyncio.Event()

    async def work() -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await going.wait()
        clocks.worked += 0.3
        running -= 1
        return b"x" * 1_000_000

    tasks = [asyncio.create_task(turns.run("1", work, len)) for _ in range(10)]
    await settled()
    going.set()
    await asyncio.gather(*tasks[:2])

    assert most == module.AT_ONCE
    assert turns._accounts["1"].balance == pytest.approx(0.25 - 0.6)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_turn_that_waits_for_the_store_is_not_charged_for_the_work_of_others() -> None:
    clocks = Clocks()
    turns = clocks.turns()

    async def small() -> bytes:
        clocks.worked += 60
        return b"{}"

    await turns.run("1", small, len)

    assert turns._accounts["1"].balance > 0.2


async def test_cancelled_waits_leave_nothing_behind() -> None:
    clocks = Clocks()
    turns = clocks.turns()
    await turns.run("1", clocks.work(0.3), len)
    tasks = [asyncio.create_task(turns.run("1", clocks.work(0), len)) for _ in range(5)]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    clocks.now += 10

    assert await turns.run("1", clocks.work(0), len)
    await wait_until(lambda: len(turns) == 0)


async def test_nothing_waits_for_its_turn_during_shutdown() -> None:
    clocks, ending = Clocks(), False
    turns = LoopShares(0.25, lambda: ending, lambda: clocks.now, lambda: clocks.worked)
    await turns.run("1", clocks.work(100), len)
    tasks = [asyncio.create_task(turns.run("1", clocks.work(0), len)) for _ in range(5)]
    await settled()
    ending = True

    assert all(isinstance(one, ShuttingDown) for one in await asyncio.gather(*tasks, return_exceptions=True))
