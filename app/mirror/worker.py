"""The work of the mirror in the background. One process of several does it; another takes over when that one ends."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any
from uuid import uuid4

import structlog

from app.errors import Unavailable
from app.mirror.look import Mirror
from app.mirror.sources import Census, Lists, Poll, Sweep
from app.upstream.errors import UpstreamError

logger: Any = structlog.get_logger("mirror")
LOOKS_AT_ONCE = 4
MARKED_AT_ONCE = 100
LEAD_SECONDS = 10.0
RETRY_SECONDS = 2.0
SWEEP_SECONDS = 1.0

# What is done again and again, and the pause after it in seconds.
Step = tuple[Callable[[], Awaitable[None]], float]


class MirrorWorker:
    """Asks what has changed, and looks where there are marks, those of an earlier process included."""

    def __init__(self, mirror: Mirror, lists: Lists, poll_seconds: float, sweep_rate: float) -> None:
        self._mirror = mirror
        self._poll_seconds = poll_seconds
        self._sweep_rate = sweep_rate
        self._poll, self._sweep = Poll(mirror, lists), Sweep(mirror)
        self._census = Census(mirror, lists)
        self._is_census_due = True
        self._id, self._leads_until = str(uuid4()), 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._repeat(step, pause)) for step, pause in self._steps()]
        self._tasks.append(asyncio.create_task(self._follow_age()))

    def _steps(self) -> list[Step]:
        steps: list[Step] = [(self._ask, self._poll_seconds), (self._look_everywhere, self._poll_seconds / 4)]
        if self._sweep_rate:
            steps.append((self._go_round, SWEEP_SECONDS))
        return steps

    async def _follow_age(self) -> None:
        while True:
            with suppress(Unavailable):
                await self._mirror.refresh_age()
            await asyncio.sleep(self._poll_seconds)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def request_census(self) -> None:
        """Hints may have been lost."""
        self._is_census_due = True

    async def _ask(self) -> None:
        if self._is_census_due:
            self._is_census_due = False
            try:
                await self._census()
            except (UpstreamError, Unavailable):
                self._is_census_due = True
                raise
        await self._poll()
        await self._mirror.note_poll()

    async def _go_round(self) -> None:
        # A sweep that runs ahead of the looks would only make them wait longer for what has really changed.
        number = max(1, round(self._sweep_rate * SWEEP_SECONDS))
        if len(await self._mirror.marked(number)) < number and await self._sweep(number):
            self._is_census_due = True

    async def _look_everywhere(self) -> None:
        while waiting := await self._mirror.marked(MARKED_AT_ONCE):
            turn = asyncio.Semaphore(LOOKS_AT_ONCE)
            await asyncio.gather(*(self._look(turn, image_id) for image_id in waiting))

    async def _look(self, turn: asyncio.Semaphore, image_id: str) -> None:
        async with turn:
            await self._mirror.look(image_id)

    async def _leads(self) -> bool:
        now = monotonic()
        if now < self._leads_until - LEAD_SECONDS / 2:
            return True
        if not await self._mirror.lead(self._id, LEAD_SECONDS):
            return False
        self._leads_until = now + LEAD_SECONDS
        return True

    async def _repeat(self, step: Callable[[], Awaitable[None]], pause: float) -> None:
        while True:
            seconds = pause
            try:
                if await self._leads():
                    await step()
            except (UpstreamError, Unavailable) as error:
                logger.warning("the mirror can't be kept up to date", reason=str(error))
                seconds = max(pause, RETRY_SECONDS)
            except Exception as error:  # whatever it is, the marks stay and the work goes on
                logger.error("the work of the mirror failed", exc_info=error)
                seconds = max(pause, RETRY_SECONDS)
            await asyncio.sleep(seconds)
