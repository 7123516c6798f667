"""Upkeep in the background: what is past its time leaves the store, a little at a time."""

import asyncio
from datetime import timedelta
from typing import Any

import structlog

from app.store import log, outcomes
from app.store.database import Store

logger: Any = structlog.get_logger("upkeep")
LONGEST_PAUSE_SECONDS = 60.0


class Upkeep:
    """Keeps the log as short as the settings allow, and drops old records of idempotency keys.

    Several workers may do it at once; each finds what the others have left.
    """

    def __init__(self, store: Store, retention: timedelta, keep: int) -> None:
        self._store = store
        self._retention = retention
        self._keep = keep
        self._pause = min(LONGEST_PAUSE_SECONDS, max(0.2, retention.total_seconds() / 10))
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._closing.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=LONGEST_PAUSE_SECONDS)

    async def once(self) -> int:
        """Drop some of what is past its time; how many events went."""
        return await self._store.unit(self._once())

    async def _once(self) -> int:
        async with self._store.transaction() as tx:
            dropped = await log.compact(tx, tx.now - self._retention, self._keep)
            await outcomes.sweep(tx)
        return dropped

    async def _run(self) -> None:
        dropped = 0
        while not self._closing.is_set():
            if not dropped:
                await self._rest()
            dropped = await self._round()

    async def _round(self) -> int:
        try:
            return await self.once()
        except Exception as error:  # it can wait, and the next round does what this one could not
            logger.warning("upkeep failed", exc_info=error)
            return 0

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._pause):
                await self._closing.wait()
        except TimeoutError:
            return
