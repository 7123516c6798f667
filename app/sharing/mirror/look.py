"""Looking: the only way in which the mirror learns anything.

A look reads the image upstream after the view before it was committed, and is stored only if nobody else has stored
one meanwhile. Whatever is lost, doubled or late on the way to a look does no harm: it only says where to look.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from app.model import SeenImage
from app.sharing.mirror.difference import Difference, difference
from app.store import images, log, members, mirror
from app.store.database import Store
from app.store.engines.transaction import Transaction
from app.store.mirror import Position
from app.upstream.views import View

logger: Any = structlog.get_logger("mirror")


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

    async def mark(self, image_ids: Sequence[str]) -> None:
        """Note, so that it outlives this process, that these images may have changed."""

        async def act(tx: Transaction) -> None:
            await mirror.mark(tx, image_ids)

        await self._store.act(act)

    async def marked(self, limit: int) -> list[str]:
        async def act(tx: Transaction) -> list[str]:
            return await mirror.marked(tx.conn, limit)

        return await self._store.act(act)

    async def look(self, image_id: str) -> None:
        """Read the image and store what has changed. Raises UpstreamError, or Unavailable."""
        while True:
            if (position := await self._position(image_id)) is None:
                await self.mark([image_id])
                continue
            view = await self._source.view(image_id)
            if view is not None and view.duplicates:
                logger.warning("several rows for one member", image=image_id, tenants=sorted(view.duplicates))
            if await self._stored(image_id, position, view):
                return

    async def _position(self, image_id: str) -> Position | None:
        async def act(tx: Transaction) -> Position | None:
            return await mirror.position(tx.conn, image_id)

        return await self._store.act(act)

    async def _stored(self, image_id: str, position: Position, view: View | None) -> bool:
        async def act(tx: Transaction) -> bool:
            if not await mirror.advance(tx.conn, image_id, position):
                return False
            was = await mirror.image(tx.conn, image_id)
            rows = await mirror.all_members(tx.conn, image_id)
            await _write(tx, image_id, difference(was, rows, view, tx.now))
            if view is None:
                await mirror.forget(tx.conn, image_id)
            return True

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
    await log.append(tx, found.news)


async def _write_image(tx: Transaction, image: SeenImage, is_new: bool) -> None:
    if is_new:
        await images.add(tx.conn, image)
    else:
        await mirror.replace_image(tx.conn, image)
