"""The hint: "something was committed, look now". It carries no data, so it may be lost, doubled or early."""

import asyncio


class Hint:
    """Inside one process. Who waits longer than the poll interval looks anyway, so a lost hint only delays."""

    def __init__(self) -> None:
        self._signalled = asyncio.Event()

    def signal(self) -> None:
        self._signalled.set()

    async def wait(self, at_most: float) -> bool:
        """Return at the next hint, or when the time is up; a hint given since the last wait counts.

        Whether there was one.
        """
        try:
            async with asyncio.timeout(at_most):
                await self._signalled.wait()
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._signalled.clear()
