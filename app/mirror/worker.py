"""The work of the mirror in the background: it marks what has changed upstream, and looks where there are marks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import structlog

from app.errors import Unavailable
from app.mirror.look import Mirror
from app.model import SeenImage
from app.upstream.errors import UpstreamError

logger: Any = structlog.get_logger("mirror")
LOOKS_AT_ONCE = 4
MARKED_AT_ONCE = 100
# The clocks of Glance's machines may differ, and its times are in whole seconds: a poll goes back this far.
OVERLAP = timedelta(seconds=5)
RETRY_SECONDS = 2.0


class Lists(Protocol):
    """Where images are listed."""

    def images(self, **filters: str) -> AsyncIterator[SeenImage]:
        """Those that fit. Raises UpstreamError."""
        ...


class MirrorWorker:
    """Polls for changed images, and looks where marks wait, those of an earlier process included."""

    def __init__(self, mirror: Mirror, lists: Lists, poll_seconds: float) -> None:
        self._mirror = mirror
        self._lists = lists
        self._poll_seconds = poll_seconds
        self._changed_at: dict[str, datetime] = {}
        self._since = datetime.now(UTC)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        steps = ((self.poll, self._poll_seconds), (self.look, self._poll_seconds / 4))
        self._tasks = [asyncio.create_task(_repeat(step, pause)) for step, pause in steps]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def poll(self) -> None:
        """Mark the images that have changed since the last poll. Raises UpstreamError, or Unavailable."""
        began = datetime.now(UTC)
        since = (self._since - OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")
        found = {image.id: image.updated_at async for image in self._lists.images(updated_at=f"gte:{since}")}
        changed = [image_id for image_id, at in found.items() if self._changed_at.get(image_id) != at]
        if changed:
            await self._mirror.mark(changed)
        self._changed_at, self._since = found, began

    async def look(self) -> None:
        """Look at every image that is marked. Raises UpstreamError, or Unavailable."""
        while waiting := await self._mirror.marked(MARKED_AT_ONCE):
            turn = asyncio.Semaphore(LOOKS_AT_ONCE)
            await asyncio.gather(*(self._look(turn, image_id) for image_id in waiting))

    async def _look(self, turn: asyncio.Semaphore, image_id: str) -> None:
        async with turn:
            await self._mirror.look(image_id)


async def _repeat(step: Callable[[], Awaitable[None]], pause: float) -> None:
    while True:
        seconds = pause
        try:
            await step()
        except (UpstreamError, Unavailable) as error:
            logger.warning("the mirror can't be kept up to date", reason=str(error))
            seconds = max(pause, RETRY_SECONDS)
        except Exception as error:  # whatever it is, the marks stay and the work goes on
            logger.error("the work of the mirror failed", exc_info=error)
            seconds = max(pause, RETRY_SECONDS)
        await asyncio.sleep(seconds)
