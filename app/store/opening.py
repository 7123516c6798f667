"""The store as a server starts: it may be away, and a server that waits for it says so and needs nobody's help."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from app.errors import SetupError, Unavailable
from app.store.database import Store
from app.store.migrate import require_current

logger: Any = structlog.get_logger("store")
AGAIN_SECONDS = 0.5


class Opening:
    """Lets nobody at the store before it is known to be as it must be; then `begin` starts what works on it."""

    def __init__(self, store: Store, begin: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._begin = begin
        self._told = ""
        self._waiting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open it, or wait for it in the background: for a server that is away, or for its migration."""
        if not await self._is_open():
            self._waiting = asyncio.create_task(self._wait())

    async def stop(self) -> None:
        """At once, whatever the database does meanwhile."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait({self._waiting})

    async def _wait(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            if await self._is_open():
                logger.info("the store is there")
                return

    async def _is_open(self) -> bool:
        self._store.is_awaited = True
        try:
            await require_current(self._store)
            self._store.is_awaited = False
            await self._begin()
        except Exception as error:  # noqa: BLE001  # whatever it is, a server that gave up would stay unready for good
            self._store.is_awaited = True
            self._tell(error)
            return False
        return True

    def _tell(self, error: Exception) -> None:
        """Each reason once, since it may be the same for hours."""
        reason = str(error) if isinstance(error, (SetupError, Unavailable)) else ""
        if reason != self._told or not reason:
            logger.warning("waiting for the store", reason=reason, exc_info=None if reason else error)
        self._told = reason
