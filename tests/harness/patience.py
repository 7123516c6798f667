"""Waiting for what another process, or another task, will do in its own time."""

import asyncio
from collections.abc import Callable

POLL_SECONDS = 0.02
# Far beyond what anything takes on a slow machine, and less than the limit of a test.
PATIENCE_SECONDS = 60


async def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Return once the condition holds. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            # Nobody rings a bell for what happens elsewhere, so it is looked at again and again.
            await asyncio.sleep(POLL_SECONDS)
