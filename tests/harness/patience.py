"""Waiting for what another process, or another task, will do in its own time."""

import asyncio
from collections.abc import Callable

LOOK_AGAIN_SECONDS = 0.02
# Far beyond what anything takes on a slow machine, and less than the limit of a test.
PATIENCE_SECONDS = 60


async def until(is_so: Callable[[], bool], at_most: float = PATIENCE_SECONDS) -> None:
    """Return as soon as it is so. Raises TimeoutError when it never is."""
    async with asyncio.timeout(at_most):
        while not is_so():
            # Nobody rings a bell for what happens elsewhere, so it is looked at again and again.
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
