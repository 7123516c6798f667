"""Compares the rows of an import with those before them in the file and with those in the store."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from app.errors import BadUserInput
from app.model import SeenImage, SeenMember
from app.store import imports
from app.store.database import Store
from app.store.snapshot import read_once
from app.transfer.lines import Row
from app.transfer.reading import Line


class Problem(NamedTuple):
    """A problem of a line."""

    line: int
    place: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {f'{self.place}: ' if self.place else ''}{self.message}"


class Present(NamedTuple):
    """Rows of the store that concern some lines: images by ID and external ID, members by ID and image and tenant."""

    images: dict[str, SeenImage]
    external: dict[tuple[str, str], SeenImage]
    members: dict[str, SeenMember]
    pairs: dict[tuple[str, str], SeenMember]


class Checks:
    """The checks of one file. They remember what each row before has taken, about 200 bytes for each."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids = set[bytes]()
        self._owners: dict[str, str] = {}
        self._pairs = set[bytes]()
        self._external = set[bytes]()

    async def problems_of(self, lines: Sequence[Line]) -> list[Problem]:
        """The problems of the next lines, in their order."""
        present = await self._read_present([line.row for line in lines if line.row is not None])
        return [problem for line in lines for problem in self._of_line(line, present)]

    async def _read_present(self, rows: Sequence[Row]) -> Present:
        members = [row for row in rows if isinstance(row, SeenMember)]
        named = {row.id for row in rows if isinstance(row, SeenImage)}
        named |= {row.image_id for row in members}
        images = await read_once(self._store, imports.images_of, named)
        external = [
            (row.owner_id or "", row.external_id) for row in rows if isinstance(row, SeenImage) and row.external_id
        ]
        # An image that is not in the store has no members there.
        pairs = [(row.image_id, row.tenant_id) for row in members if row.image_id in images]
        return Present(
            images,
            await read_once(self._store, imports.images_by_external_id, external),
            await read_once(self._store, imports.members_by_id, [row.id for row in members]),
            await read_once(self._store, imports.members_by_pair, pairs),
        )

    def _of_line(self, line: Line, present: Present) -> Iterator[Problem]:
        found: Iterable[BadUserInput] = line.mistakes
        if isinstance(line.row, SeenImage):
            found = self._of_image(line.row, present)
        elif line.row is not None:
            found = self._of_member(line.row, present)
        for mistake in found:
            place = ".".join(mistake.path or ())
            yield Problem(line.number, place.removeprefix("input."), mistake.message)

    def _of_image(self, row: SeenImage, present: Present) -> Iterator[BadUserInput]:
        yield from self._is_new_id(row.id)
        self._owners.setdefault(row.id, row.owner_id or "")
        stored = present.images.get(row.id)
        if stored is not None and (stored.owner_id, stored.created_at) != (row.owner_id, row.created_at):
            yield BadUserInput("The store has another image with this ID.", ("id",))
        if row.external_id is not None:
            yield from self._is_new_external_id(row, row.external_id, present)

    def _is_new_external_id(self, row: SeenImage, external_id: str, present: Present) -> Iterator[BadUserInput]:
        pair = row.owner_id or "", external_id
        stored, digest = present.external.get(pair), _digest(*pair)
        if digest in self._external:
            yield BadUserInput("A line before this one has this external ID of this owner.", ("externalId",))
        if stored is not None and stored.id != row.id:
            yield BadUserInput("The store has another image of this owner with this external ID.", ("externalId",))
        self._external.add(digest)

    def _of_member(self, row: SeenMember, present: Present) -> Iterator[BadUserInput]:
        yield from self._is_new_id(row.id)
        stored, pair = present.images.get(row.image_id), _digest(row.image_id, row.tenant_id)
        owner = self._owners.get(row.image_id) or (stored and stored.owner_id)
        if owner is None:
            yield BadUserInput(
                "No line before this one has a valid image with this ID, nor has the store.", ("imageId",)
            )
        if owner == row.tenant_id:
            yield BadUserInput("An image can't be offered to its own owner.", ("tenantId",))
        if pair in self._pairs:
            yield BadUserInput("A line before this one has a member of this image and tenant.", ("tenantId",))
        self._pairs.add(pair)
        yield from _differs(row, present)

    def _is_new_id(self, id: str) -> Iterator[BadUserInput]:
        number = bytes.fromhex(id.replace("-", ""))
        if number in self._ids:
            yield BadUserInput("A line before this one has this ID.", ("id",))
        self._ids.add(number)


def _digest(*values: str) -> bytes:
    """A key for a set, which takes less memory than the values."""
    return blake2b("\n".join(values).encode(), digest_size=16).digest()


def _differs(row: SeenMember, present: Present) -> Iterator[BadUserInput]:
    """Whether the store has another member in the place of this one."""
    same_id, same_pair = present.members.get(row.id), present.pairs.get((row.image_id, row.tenant_id))
    if same_id is not None and (same_id.image_id, same_id.tenant_id) != (row.image_id, row.tenant_id):
        yield BadUserInput("The store has another member with this ID.", ("id",))
    if same_pair is not None and same_pair.id != row.id:
        yield BadUserInput("The store has another member of this image and tenant.", ("tenantId",))
