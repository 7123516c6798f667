"""Waits for conditions that another process or task brings about."""

import asyncio
from collections.abc import Callable

POLL_SECONDS = 0.02
# Far longer than anything takes on a slow machine, and shorter than the time limit of a test.
PATIENCE_SECONDS = 60


async def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Return once the condition holds. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            # Nothing notifies this task of changes elsewhere, so it polls.
            await asyncio.sleep(POLL_SECONDS)
