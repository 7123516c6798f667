"""Notifications as marks: an image that one is about is marked, and looked at at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog

from app.errors import Unavailable
from app.mirror.look import Mirror
from app.upstream.errors import UpstreamError

logger: Any = structlog.get_logger("mirror")
LOOKS_AT_ONCE = 4
RETRY_SECONDS = 1.0


class Notifications(Protocol):
    async def follow(self, on_connected: Callable[[], None], on_image: Callable[[str], Awaitable[None]]) -> None:
        """Tell of each image until the connection ends. Raises UpstreamError."""
        ...


class BusListener:
    """Follows the notifications, and connects again when it must. `on_connected`: some may have been lost before."""

    def __init__(self, mirror: Mirror, notifications: Notifications, on_connected: Callable[[], None]) -> None:
        self._mirror = mirror
        self._notifications = notifications
        self._on_connected = on_connected
        self._marked: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._problem: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._mirror.figures.is_bus_connected = False
        works = [self._follow, *([self._look] * LOOKS_AT_ONCE)]
        self._tasks = [asyncio.create_task(work()) for work in works]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                await self._notifications.follow(self._connected, self._mark)
            except (UpstreamError, Unavailable) as error:
                self._report(str(error))
            except Exception as error:  # whatever it is, the sweep finds what is lost meanwhile
                logger.error("the notifications can't be followed", exc_info=error)
            self._mirror.figures.is_bus_connected = False
            await asyncio.sleep(RETRY_SECONDS)  # so that a broker that refuses at once is not flooded

    def _connected(self) -> None:
        if self._problem is not None:
            logger.info("the notifications are back")
        self._problem = None
        self._mirror.figures.is_bus_connected = True
        self._on_connected()

    def _report(self, problem: str) -> None:
        """Log once that there are no notifications, however often the connection is tried."""
        if problem != self._problem:
            logger.warning("there are no notifications", reason=problem)
        self._problem = problem

    async def _mark(self, image_id: str) -> None:
        self._mirror.figures.notifications += 1
        await self._mirror.mark([image_id])
        if image_id not in self._waiting:
            self._waiting.add(image_id)
            self._marked.put_nowait(image_id)

    async def _look(self) -> None:
        while True:
            image_id = await self._marked.get()
            self._waiting.discard(image_id)
            try:
                await self._mirror.look(image_id)
            except (UpstreamError, Unavailable):
                continue  # the mark stays, and the worker comes past it
            except Exception as error:  # as above
                logger.error("a look failed", image=image_id, exc_info=error)
