"""Where marks come from: the times of images upstream."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

from app.mirror.look import Mirror
from app.model import SeenImage

# The clocks of Glance's machines may differ, and its times are in whole seconds: a poll goes back this far.
OVERLAP = timedelta(seconds=5)
PAGE = 1_000


class Lists(Protocol):
    """Where images are listed."""

    def images(self, **filters: str) -> AsyncIterator[SeenImage]:
        """The matching images. Raises UpstreamError."""
        ...


class Poll:
    """Marks images whose `updated_at` has moved. Changes of members do not move it, and a deleted image has none."""

    def __init__(self, mirror: Mirror, lists: Lists) -> None:
        self._mirror = mirror
        self._lists = lists
        self._since = datetime.now(UTC)
        self._last: dict[str, datetime] = {}

    async def __call__(self) -> None:
        """Mark what has changed since the last call. Raises UpstreamError, or Unavailable."""
        began, since = datetime.now(UTC), (self._since - OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")
        found = {image.id: image.updated_at async for image in self._lists.images(updated_at=f"gte:{since}")}
        changed = [image_id for image_id, at in found.items() if self._last.get(image_id) != at]
        if changed:
            await self._mirror.mark(changed)
        self._last, self._since = found, began


class Census:
    """Compares the list of all images with the mirror. It finds what was changed while no gateway was there."""

    def __init__(self, mirror: Mirror, lists: Lists) -> None:
        self._mirror = mirror
        self._lists = lists

    async def __call__(self) -> None:
        """Mark every difference; for the first time, expect every image. Raises UpstreamError, or Unavailable."""
        there = {image.id: image.updated_at async for image in self._lists.images()}
        if await self._mirror.is_new():
            await self._mirror.expect(list(there))
            return
        here = await self._mirrored()
        different = [image_id for image_id in here.keys() | there.keys() if here.get(image_id) != there.get(image_id)]
        if different:
            await self._mirror.mark(different)

    async def _mirrored(self) -> dict[str, datetime]:
        found: dict[str, datetime] = {}
        after = ""
        while page := await self._mirror.updates(after, PAGE):
            found |= page
            after = page[-1][0]
        return found
