"""The work of the mirror in the background. One process of several does it; another takes over when that one ends."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog

from app.errors import Unavailable
from app.mirror.leadership import Leadership
from app.mirror.look import Mirror
from app.mirror.looks import look_at
from app.mirror.sources import Census, Lists, Poll
from app.mirror.sweep import Sweep
from app.upstream.errors import UpstreamError

logger: Any = structlog.get_logger("mirror")
LOOKS_AT_ONCE = 4
MARKED_AT_ONCE = 100
RETRY_SECONDS = 2.0
# The pause between two rounds of the sweep, which are short where there are few images.
ROUND_SECONDS = 1.0
CENSUS_SECONDS = 60.0


class MirrorWorker:
    """Polls for what has changed, looks where there are marks, those of an earlier process included, and sweeps."""

    def __init__(self, mirror: Mirror, lists: Lists, poll_seconds: float, sweep_rate: float) -> None:
        self._mirror = mirror
        self._poll_seconds = poll_seconds
        self._lead = Leadership(mirror)
        self._poll, self._census, self._sweep = Poll(mirror, lists), Census(mirror, lists), Sweep(mirror, sweep_rate)
        self._census_due = float("-inf")
        self._poll_now, self._look_now = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self._lead.start()
        steps = (self._poll_changes, self._look_at_marked, self._look_at_next)
        self._tasks = [asyncio.create_task(self._repeat(step)) for step in steps]
        self._tasks.append(asyncio.create_task(self._follow_age()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._lead.stop()

    def catch_up(self) -> None:
        """Compare the lists and begin a round of the sweep at once, because notifications may have been lost."""
        self._census_due = float("-inf")
        self._sweep.restart()
        self._poll_now.set()

    async def _follow_age(self) -> None:
        while True:
            with suppress(Unavailable):
                await self._mirror.refresh_age()
            await asyncio.sleep(self._poll_seconds)

    async def _poll_changes(self) -> None:
        self._poll_now.clear()
        if monotonic() >= self._census_due:
            due = self._census_due
            await self._census()
            if due == self._census_due:  # it was not requested anew meanwhile
                self._census_due = float("inf")
        await self._poll()
        await self._mirror.note_poll()
        self._look_now.set()
        await _wait(self._poll_now, self._poll_seconds)

    async def _look_at_marked(self) -> None:
        self._look_now.clear()
        after = ""
        while marked := await self._mirror.marked(MARKED_AT_ONCE, after):
            after = marked[-1]
            for failure in await look_at(self._mirror, marked, LOOKS_AT_ONCE):
                logger.warning("an image can't be read", reason=str(failure))
        await _wait(self._look_now, self._poll_seconds / 4)

    async def _look_at_next(self) -> None:
        if not await self._sweep.look_at_next():
            self._census_due = min(self._census_due, monotonic() + CENSUS_SECONDS)
            await asyncio.sleep(ROUND_SECONDS)  # an empty cloud would be swept without a pause

    async def _repeat(self, step: Callable[[], Awaitable[None]]) -> None:
        """Carry out the step, which ends with a pause of its own, again and again while this process has the lead."""
        while True:
            await self._lead.acquired()
            try:
                await step()
                continue
            except (UpstreamError, Unavailable) as error:
                logger.warning("the mirror can't be kept up to date", reason=str(error))
            except Exception as error:  # whatever it is, the marks stay and the work goes on
                logger.error("the work of the mirror failed", exc_info=error)
            await asyncio.sleep(RETRY_SECONDS)  # so that a service in trouble is not flooded


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
