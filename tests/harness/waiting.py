"""Waits for conditions that another process or task brings about."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, sleep

POLL_SECONDS = 0.02
# Far longer than anything takes on a slow machine, and shorter than the time limit of a test.
PATIENCE_SECONDS = 60


async def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Return once the condition holds. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            # Nothing notifies this task of changes elsewhere, so it polls.
            await asyncio.sleep(POLL_SECONDS)


async def poll(condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    """Return once the condition, which has to be awaited, holds. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.1)  # a request each time, and nothing notifies this task of changes elsewhere


def block_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """`wait_until` for code without an event loop."""
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() > deadline:
            raise TimeoutError
        # Nothing notifies this thread of changes elsewhere, so it polls.
        sleep(POLL_SECONDS)
