"""Many parents, one statement: what nested fields ask for is collected and read together.

Nothing is kept between batches, so on a long-lived socket nothing goes stale.
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
Wanted = TypeVar("Wanted", bound=Hashable)


class MembersOf(NamedTuple):
    """A window on the members of one image."""

    image_id: str
    wanted: MemberFilter
    page: PageRequest


class ImagesOf(NamedTuple):
    """A window on the images of one owner."""

    owner_id: str
    wanted: ImageFilter
    page: PageRequest


class Loaders:
    """The batches of one operation, for one viewer, in one view of the store."""

    def __init__(self, snapshot: Snapshot, viewer: Caller, cursor_at: Callable[[int], str]) -> None:
        async def find_images(ids: list[str]) -> dict[str, SeenImage]:
            return await snapshot.read(images.find, viewer, ids)

        async def find_members(ids: list[str]) -> dict[str, SeenMember]:
            return await snapshot.read(members.find, viewer, ids)

        async def find_own(image_ids: list[str]) -> dict[str, SeenMember]:
            return await snapshot.read(members.of_viewer, viewer, image_ids)

        async def pages_of_images(
            of: list[str], wanted: MemberFilter, page: PageRequest
        ) -> dict[str, Page[SeenMember]]:
            return await snapshot.read(members.of_images, viewer, of, wanted, page)

        async def counts_of_images(of: list[str], wanted: MemberFilter, _: PageRequest) -> dict[str, int]:
            return await snapshot.read(members.count_of_images, viewer, of, wanted)

        async def pages_of_owners(of: list[str], wanted: ImageFilter, page: PageRequest) -> dict[str, Page[SeenImage]]:
            return await snapshot.read(images.of_owners, viewer, of, wanted, page)

        async def counts_of_owners(of: list[str], wanted: ImageFilter, _: PageRequest) -> dict[str, int]:
            return await snapshot.read(images.count_of_owners, viewer, of, wanted)

        async def here(places: list[None]) -> list[str]:
            head = await snapshot.read(log.head)
            return [cursor_at(head.seq)] * len(places)

        self.image = _by_id(find_images)
        self.member = _by_id(find_members)
        self.own_membership = _by_id(find_own)
        self.members_of = _by_parent(pages_of_images, pages.empty)
        self.member_count_of = _by_parent(counts_of_images, _none)
        self.images_of = _by_parent(pages_of_owners, pages.empty)
        self.image_count_of = _by_parent(counts_of_owners, _none)
        self.watch_cursor: DataLoader[None, str] = DataLoader(load_fn=here, cache=False)


def _by_id(find: Callable[[list[str]], Awaitable[dict[str, Found]]]) -> DataLoader[str, Found | None]:
    async def load(ids: list[str]) -> Sequence[Found | None]:
        found = await find(list(dict.fromkeys(ids)))
        return [found.get(one) for one in ids]

    return DataLoader(load_fn=load, cache=False)


def _by_parent(
    read: Callable[[list[str], Wanted, PageRequest], Awaitable[dict[str, Found]]],
    nothing: Callable[[PageRequest], Found],
) -> DataLoader[tuple[str, Wanted, PageRequest], Found]:
    """One statement for each set of arguments, whatever the number of parents."""

    async def load(keys: list[tuple[str, Wanted, PageRequest]]) -> Sequence[Found]:
        parents_of: dict[tuple[Wanted, PageRequest], list[str]] = {}
        for parent, wanted, page in dict.fromkeys(keys):
            parents_of.setdefault((wanted, page), []).append(parent)
        found = {arguments: await read(parents, *arguments) for arguments, parents in parents_of.items()}
        return [found[wanted, page].get(parent, nothing(page)) for parent, wanted, page in keys]

    return DataLoader(load_fn=load, cache=False)


def _none(_: PageRequest) -> int:
    return 0
