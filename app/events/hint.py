"""The hint: "something was committed, look now". It carries no data, so it may be lost, doubled or early."""

import asyncio


class Hint:
    """The hint within one process. A lost hint only delays, because readers also poll."""

    def __init__(self) -> None:
        self._signalled = asyncio.Event()

    def signal(self) -> None:
        self._signalled.set()

    async def wait(self, at_most: float) -> bool:
        """Wait for the next hint, including one since the last wait. Returns False if there is none in time."""
        try:
            async with asyncio.timeout(at_most):
                await self._signalled.wait()
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._signalled.clear()
