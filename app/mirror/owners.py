"""Reading images with the tokens of their owners, where no single token sees all of them."""

from typing import Protocol

from app.store import mirror
from app.store.database import Store
from app.upstream.errors import Unreadable
from app.upstream.views import View


class OwnedImages(Protocol):
    async def view(self, image_id: str, owner_id: str | None) -> View | None:
        """Raises Unreadable for an owner that can't be read, or another UpstreamError."""
        ...


class KnownOwners:
    """Looks up the owner of an image in the mirror before the image is read. See `app.mirror.look.Source`."""

    def __init__(self, store: Store, images: OwnedImages) -> None:
        self._store = store
        self._images = images

    async def view(self, image_id: str) -> View | None:
        """An image whose owner can't be read stays as it is, and is not known if it was not."""
        known = await self._store.act(lambda tx: mirror.image(tx.conn, image_id))
        try:
            return await self._images.view(image_id, None if known is None else known.owner_id)
        except Unreadable:
            return None if known is None else View(known, None)
