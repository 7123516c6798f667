"""Waits for the store when a server starts: the database may be away, or not migrated yet."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from app.background import Component, Group
from app.errors import SetupError, Unavailable
from app.store.database import Store
from app.store.migrate import require_current

logger: Any = structlog.get_logger("store")
RETRY_SECONDS = 0.5


class StoreStartup:
    """Admits nobody to the store until its tables are current, and then starts the components that work on it."""

    def __init__(self, store: Store, components: Sequence[Component]) -> None:
        self._store = store
        self._components = Group(components)
        self._logged_reason = ""
        self._waiting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the store, or keep trying in the background."""
        if not await self._try_to_open():
            self._waiting = asyncio.create_task(self._wait())

    async def stop(self) -> None:
        """Stop at once, whatever the database is doing."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait({self._waiting})
        await self._components.stop()

    async def _wait(self) -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            if await self._try_to_open():
                logger.info("the store is available")
                return

    async def _try_to_open(self) -> bool:
        self._store.is_open = False
        try:
            await require_current(self._store)
            self._store.is_open = True
            await self._components.start()
        except Exception as error:  # noqa: BLE001  # a server that gave up would stay unready for good
            self._store.is_open = False
            self._log(error)
            return False
        return True

    def _log(self, error: Exception) -> None:
        """Log each reason once, since the store may be away for hours."""
        reason = str(error) if isinstance(error, (SetupError, Unavailable)) else ""
        if reason != self._logged_reason or not reason:
            logger.warning("waiting for the store", reason=reason, exc_info=None if reason else error)
        self._logged_reason = reason
