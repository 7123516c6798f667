"""Writes the rows of an import, many in one transaction, after its file was checked.

A row of the store stays as it is: meanwhile it may have been answered, or offered again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from app.errors import SetupError
from app.model import Caller, LogEntry, SeenImage, SeenMember
from app.sharing import log_entries
from app.store import imports, log, members
from app.store.database import Store
from app.store.engines.transaction import Transaction
from app.transfer.reading import Line


class Tally(NamedTuple):
    """How many images and members were written, and how many members were left out, their image being deleted."""

    images: int = 0
    members: int = 0
    orphans: int = 0

    def plus(self, other: "Tally") -> "Tally":
        return Tally(*map(sum, zip(self, other, strict=True)))


class FileImport:
    """The import of one file, known by its digest. With `is_announced`, watchers hear of every row that is written."""

    def __init__(self, store: Store, digest: str, *, is_announced: bool) -> None:
        self._store = store
        self._digest = digest
        self._is_announced = is_announced

    async def lines_done(self) -> int | None:
        """The number of lines that earlier runs have imported; None if none has begun."""
        return await self._store.act(lambda tx: imports.lines_done(tx.conn, self._digest))

    async def begin(self) -> None:
        """Begin with the first line."""
        await self._store.act(lambda tx: imports.begin(tx.conn, self._digest))

    async def write(self, lines: Sequence[Line], since: int) -> Tally:
        """Write the rows of these lines, which are the next ones after line `since`."""
        rows = [line.row for line in lines]

        async def act(tx: Transaction) -> Tally:
            if not await imports.advance(tx.conn, self._digest, since, lines[-1].number):
                raise SetupError("Another import of this file is running. Wait for its end.")
            new_images = await _write_images(tx, [row for row in rows if isinstance(row, SeenImage)])
            offered = [row for row in rows if isinstance(row, SeenMember)]
            images = await imports.images_of(tx.conn, {row.image_id for row in offered}, locked=True)
            offered_here = [row for row in offered if row.image_id in images]
            new_members = await _write_members(tx, offered_here, {image.id for image in new_images})
            if self._is_announced:
                await log.append(tx, _entries(new_images, new_members, images, tx.now))
            return Tally(len(new_images), len(new_members), len(offered) - len(offered_here))

        return await self._store.act(act)


async def _write_images(tx: Transaction, rows: Sequence[SeenImage]) -> list[SeenImage]:
    present = await imports.images_of(tx.conn, [row.id for row in rows])
    new = [row for row in rows if row.id not in present]
    await imports.add_images(tx.conn, new)
    return new


async def _write_members(tx: Transaction, rows: Sequence[SeenMember], new_images: Collection[str]) -> list[SeenMember]:
    """Write the members of images that are locked. An image that is new in this transaction has none yet."""
    pairs = [(row.image_id, row.tenant_id) for row in rows if row.image_id not in new_images]
    present = await imports.members_by_pair(tx.conn, pairs)
    new = [row for row in rows if (row.image_id, row.tenant_id) not in present]
    if new:
        await members.add(tx.conn, new)
    return new


def _entries(
    new_images: Iterable[SeenImage],
    new_members: Iterable[SeenMember],
    images: Mapping[str, SeenImage],
    now: datetime,
) -> list[LogEntry]:
    def actor(tenant_id: str | None) -> Caller:
        return Caller(tenant_id or "", frozenset(), now)

    entries = [entry for image in new_images for entry in log_entries.of_registration(actor(image.owner_id), image)]
    for row in new_members:
        image = images[row.image_id]
        entries += log_entries.of_found_member(actor(image.owner_id), actor(row.tenant_id), image, row)
    return entries
