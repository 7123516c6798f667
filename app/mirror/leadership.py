"""Which of several processes looks for changes upstream."""

import asyncio
from contextlib import suppress
from time import monotonic
from uuid import uuid4

from app.errors import Unavailable
from app.mirror.look import Mirror

LEASE_SECONDS, RENEWAL_SECONDS = 4.0, 1.0


class Leadership:
    """A lease in the store, which this process renews. It ends with the process, and another one takes the lead."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._id = str(uuid4())
        self._until = 0.0
        self._acquired = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None

    @property
    def is_held(self) -> bool:
        return monotonic() < self._until

    async def acquired(self) -> None:
        """Wait until this process has the lead."""
        while not self.is_held:
            self._acquired.clear()
            await self._acquired.wait()

    async def start(self) -> None:
        self._renewing = asyncio.create_task(self._renew())

    async def stop(self) -> None:
        """Release the lead, so that another process need not wait for the end of the lease."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self.is_held:
            with suppress(Unavailable):
                await self._mirror.lead(self._id, 0)

    async def _renew(self) -> None:
        while True:
            began = monotonic()
            with suppress(Unavailable):
                if await self._mirror.lead(self._id, LEASE_SECONDS):
                    self._until = began + LEASE_SECONDS
                    self._acquired.set()
            await asyncio.sleep(RENEWAL_SECONDS)  # several times in each lease, so that one late renewal is no loss
