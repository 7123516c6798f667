"""Data loaders, which read the nested fields of many parents in one statement.

They cache nothing between batches, so that long-lived subscriptions read fresh data.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import NamedTuple, TypeVar

from strawberry.dataloader import DataLoader

from app.model import Caller, SeenImage, SeenMember
from app.store import images, log, members, pages
from app.store.images import ImageFilter
from app.store.members import MemberFilter
from app.store.pages import Page, PageRequest
from app.store.snapshot import Snapshot

Found = TypeVar("Found")
Criteria = TypeVar("Criteria", bound=Hashable)


class MembersOf(NamedTuple):
    """A page of the members of one image."""

    image_id: str
    criteria: MemberFilter
    page: PageRequest


class ImagesOf(NamedTuple):
    """A page of the images of one owner."""

    owner_id: str
    criteria: ImageFilter
    page: PageRequest


class Loaders:
    """The data loaders of one operation, for one viewer, in one view of the store."""

    def __init__(self, snapshot: Snapshot, viewer: Caller, cursor_at: Callable[[int], str]) -> None:
        async def find_images(ids: list[str]) -> dict[str, SeenImage]:
            return await snapshot.read(images.find, viewer, ids)

        async def find_members(ids: list[str]) -> dict[str, SeenMember]:
            return await snapshot.read(members.find, viewer, ids)

        async def find_own(image_ids: list[str]) -> dict[str, SeenMember]:
            return await snapshot.read(members.of_viewer, viewer, image_ids)

        async def pages_of_images(
            of: list[str], criteria: MemberFilter, page: PageRequest
        ) -> dict[str, Page[SeenMember]]:
            return await snapshot.read(members.of_images, viewer, of, criteria, page)

        async def counts_of_images(of: list[str], criteria: MemberFilter, _: PageRequest) -> dict[str, int]:
            return await snapshot.read(members.count_of_images, viewer, of, criteria)

        async def pages_of_owners(
            of: list[str], criteria: ImageFilter, page: PageRequest
        ) -> dict[str, Page[SeenImage]]:
            return await snapshot.read(images.of_owners, viewer, of, criteria, page)

        async def counts_of_owners(of: list[str], criteria: ImageFilter, _: PageRequest) -> dict[str, int]:
            return await snapshot.read(images.count_of_owners, viewer, of, criteria)

        async def head_cursors(keys: list[None]) -> list[str]:
            head = await snapshot.read(log.head)
            return [cursor_at(head.seq)] * len(keys)

        self.image = _by_id(find_images)
        self.member = _by_id(find_members)
        self.own_membership = _by_id(find_own)
        self.members_of = _by_parent(pages_of_images, pages.empty)
        self.member_count_of = _by_parent(counts_of_images, _none)
        self.images_of = _by_parent(pages_of_owners, pages.empty)
        self.image_count_of = _by_parent(counts_of_owners, _none)
        self.watch_cursor: DataLoader[None, str] = DataLoader(load_fn=head_cursors, cache=False)


def _by_id(find: Callable[[list[str]], Awaitable[dict[str, Found]]]) -> DataLoader[str, Found | None]:
    async def load(ids: list[str]) -> Sequence[Found | None]:
        found = await find(list(dict.fromkeys(ids)))
        return [found.get(one) for one in ids]

    return DataLoader(load_fn=load, cache=False)


def _by_parent(
    read: Callable[[list[str], Criteria, PageRequest], Awaitable[dict[str, Found]]],
    nothing: Callable[[PageRequest], Found],
) -> DataLoader[tuple[str, Criteria, PageRequest], Found]:
    """A loader that runs one statement for each set of arguments, whatever the number of parents."""

    async def load(keys: list[tuple[str, Criteria, PageRequest]]) -> Sequence[Found]:
        parents_of: dict[tuple[Criteria, PageRequest], list[str]] = {}
        for parent, criteria, page in dict.fromkeys(keys):
            parents_of.setdefault((criteria, page), []).append(parent)
        found = {arguments: await read(parents, *arguments) for arguments, parents in parents_of.items()}
        return [found[criteria, page].get(parent, nothing(page)) for parent, criteria, page in keys]

    return DataLoader(load_fn=load, cache=False)


def _none(_: PageRequest) -> int:
    return 0
