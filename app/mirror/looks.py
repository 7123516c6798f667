"""Looks at many images, a bounded number at a time."""

import asyncio
from collections.abc import Sequence

from app.mirror.look import Mirror
from app.upstream.errors import UpstreamError


async def look_at(
    mirror: Mirror, image_ids: Sequence[str], at_once: int, rate: float | None = None
) -> list[UpstreamError]:
    """Look at each image, spread evenly over time if there is a `rate` per second.

    Returns why some could not be read. Raises UpstreamError if none could, or Unavailable.
    """
    turn, clock = asyncio.Semaphore(at_once), asyncio.get_running_loop().time
    began = clock()

    async def look(place: int, image_id: str) -> None:
        if rate is not None:
            await asyncio.sleep(began + place / rate - clock())  # evenly, so that Glance meets no bursts
        async with turn:
            await mirror.look(image_id)

    looks = (look(place, image_id) for place, image_id in enumerate(image_ids))
    return _failures(await asyncio.gather(*looks, return_exceptions=True))


def _failures(results: Sequence[BaseException | None]) -> list[UpstreamError]:
    failures: list[UpstreamError] = []
    for result in results:
        if isinstance(result, UpstreamError):
            failures.append(result)
        elif result is not None:
            raise result
    if failures and len(failures) == len(results):
        raise failures[0]
    return failures
