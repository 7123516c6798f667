"""Looking: the only way in which the mirror learns anything.

A look reads the image upstream after the view before it was committed, and is stored only if nobody else has stored
one meanwhile. Whatever is lost, doubled or late on the way to a look does no harm: it only says where to look.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import structlog

from app.mirror.difference import Difference, difference
from app.mirror.figures import MirrorFigures
from app.model import SeenImage
from app.store import images, log, members, mirror
from app.store.database import Store
from app.store.engines.transaction import Transaction
from app.store.mirror import MirrorState
from app.upstream.errors import Unanswered
from app.upstream.views import View

logger: Any = structlog.get_logger("mirror")
# The number of other images that are requested before an image counts as deleted.
WITNESSES = 5


class Source(Protocol):
    """Where the images really are."""

    async def view(self, image_id: str) -> View | None:
        """The image with its members as of now, None when it does not exist. Raises UpstreamError."""
        ...


class Mirror:
    """Keeps the rows of the store like the images of the source."""

    def __init__(self, store: Store, source: Source) -> None:
        self._store = store
        self._source = source
        self._polled_at = 0.0
        self.figures = MirrorFigures()

    async def mark(self, image_ids: Sequence[str]) -> None:
        """Note, so that it outlives this process, that these images may have changed."""

        await self._store.act(lambda tx: mirror.mark(tx, image_ids))

    async def expect(self, image_ids: Sequence[str]) -> None:
        """Note images that were there before the gateway."""

        await self._store.act(lambda tx: mirror.expect(tx, image_ids))

    async def is_new(self) -> bool:
        """Whether Glance was never polled, so that all its images were there before the gateway.

        The table may have rows by then: a change of our own, or a notification, marks an image at any time.
        """
        return not await self._store.act(lambda tx: mirror.polled_at(tx.conn))

    async def lead(self, holder: str, seconds: float) -> bool:
        return await self._store.act(lambda tx: mirror.lead(tx, holder, seconds))

    @property
    def age(self) -> float:
        """Seconds since the last successful poll of Glance; infinite before the first one."""
        return self._store.clock().timestamp() - self._polled_at if self._polled_at else float("inf")

    async def note_poll(self) -> None:
        await self._store.act(mirror.note_poll)

    async def refresh_age(self) -> None:
        """Learn when any process has last polled."""
        self._polled_at = await self._store.act(lambda tx: mirror.polled_at(tx.conn))

    async def updates(self, after: str, limit: int) -> list[tuple[str, datetime]]:
        return await self._store.act(lambda tx: mirror.updates(tx.conn, after, limit))

    async def with_members(self, after: str, limit: int) -> list[str]:
        return await self._store.act(lambda tx: mirror.with_members(tx.conn, after, limit))

    async def marked(self, limit: int, after: str = "") -> list[str]:
        return await self._store.act(lambda tx: mirror.marked(tx.conn, after, limit))

    async def expected(self, before: str, limit: int) -> list[str]:
        return await self._store.act(lambda tx: mirror.expected(tx.conn, before, limit))

    async def waiting(self, after: str, limit: int) -> list[str]:
        return await self._store.act(lambda tx: mirror.waiting(tx.conn, after, limit))

    async def count_marked(self) -> int:
        return await self._store.act(lambda tx: mirror.count_marked(tx.conn))

    async def look(self, image_id: str) -> None:
        """Read the image and store what has changed. Raises UpstreamError, or Unavailable."""
        result = "failed"
        try:
            result = "changed" if await self._look(image_id) else "unchanged"
        finally:
            self.figures.looks[result] += 1

    async def _look(self, image_id: str) -> bool:
        """Read and store the image. Returns whether it has changed."""
        while True:
            if (position := await self._position(image_id)) is None:
                await self.mark([image_id])
                continue
            view = await self._source.view(image_id)
            if view is None:
                await self._require_sight(image_id)
            if view is not None and view.duplicates:
                logger.warning("several rows for one member", image=image_id, tenants=sorted(view.duplicates))
            if (is_changed := await self._store_view(image_id, position, view)) is not None:
                return is_changed

    async def _require_sight(self, image_id: str) -> None:
        """Raises Unanswered when images of others have vanished too: then it is the credential that has lost its role.

        Without this, a policy that was reset would look as if every image had been deleted.
        """
        others = await self._store.act(lambda tx: mirror.others(tx.conn, image_id, WITNESSES))
        for other in others:
            if await self._source.view(other) is not None:
                return
        if others:
            logger.error("the images of other projects have vanished; does the credential still see them?")
            raise Unanswered("the credential sees no image of another project any more")

    async def _position(self, image_id: str) -> MirrorState | None:
        return await self._store.act(lambda tx: mirror.state(tx.conn, image_id))

    async def _store_view(self, image_id: str, position: MirrorState, view: View | None) -> bool | None:
        """Store what has changed since that position. Returns whether anything has; None if it is out of date."""

        async def act(tx: Transaction) -> bool | None:
            if not await mirror.advance(tx.conn, image_id, position):
                return None
            was = await mirror.image(tx.conn, image_id)
            rows = await mirror.all_members(tx.conn, image_id)
            found = difference(was, rows, view, tx.now)
            await _write(tx, image_id, found)
            await log.append(tx, () if position.is_import else found.entries)
            if view is None:
                await mirror.forget(tx.conn, image_id)
            return found.is_change

        return await self._store.act(act)


async def _write(tx: Transaction, image_id: str, found: Difference) -> None:
    if found.image is not None:
        await _write_image(tx, found.image, found.is_new)
    for row in found.removed:
        await members.remove(tx.conn, row.id)
    for row in found.changed:
        await mirror.replace_member(tx.conn, row)
    if found.added:
        await members.add(tx.conn, found.added)
    if found.is_gone:
        await images.remove(tx.conn, image_id)


async def _write_image(tx: Transaction, image: SeenImage, is_new: bool) -> None:
    if is_new:
        await images.add(tx.conn, image)
    else:
        await mirror.replace_image(tx.conn, image)
