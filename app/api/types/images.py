"""Images: the type, and the queries that start at images."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from app.api.operation.context import Info
from app.api.operation.loaders import MembersOf
from app.api.types.node_interface import Node
from app.api.types.paging import After, Before, Connection, First, Last, connection, page_request
from app.api.types.scalars import ByteCount
from app.api.types.tenants import Tenant
from app.model import ImageOrigin, ImageStatus, ImageVisibility, MemberStatus, OsType, SeenImage
from app.sharing import formats
from app.store import images
from app.store.images import ImageFilter
from app.store.members import MemberFilter

if TYPE_CHECKING:
    from app.api.types.members import Member

_PARTIES = "The owner, its members and operators are told; to everyone else who sees the image it is null."


@strawberry.type(description="An image in the ledger of who shares what to whom. The gateway moves no image data.")
class Image(Node):
    name: str = strawberry.field(description="What the owner calls it; 1 to 255 characters, not unique.")
    owner: Tenant | None = strawberry.field(description=f"The producer. {_PARTIES}")
    origin: ImageOrigin = strawberry.field(description="Where the image came from.")
    server_id: strawberry.ID | None = strawberry.field(
        description=f"The server that a SNAPSHOT was taken of, null for an IMPORT. {_PARTIES}"
    )
    source_url: str | None = strawberry.field(
        description=f"The address that an IMPORT came from, null for a SNAPSHOT. {_PARTIES}"
    )
    status: ImageStatus = strawberry.field(description="Where the image is in its life.")
    visibility: ImageVisibility = strawberry.field(description="Who may see the image.")
    size_bytes: ByteCount | None = strawberry.field(description="Size of the image data in bytes; null when not known.")
    min_disk_gb: int = strawberry.field(description="Disk in GB that a server needs at least; 0 for any.")
    min_ram_mb: int = strawberry.field(description="Memory in MB that a server needs at least; 0 for any.")
    os_type: OsType | None = strawberry.field(description="Family of the operating system; null when not known.")
    checksum: str | None = strawberry.field(
        description="Checksum of the data as the owner gave it, such as `sha256:9f86d0...`."
    )
    tags: list[str] = strawberry.field(description="Up to 50 words of the owner's, each 1 to 255 characters.")
    protected: bool = strawberry.field(description="Whether deleting is refused. Sharing is not affected.")
    hidden: bool = strawberry.field(description="Whether it is left out of image lists unless asked for.")
    created_at: datetime = strawberry.field(description="When the image was registered.")
    updated_at: datetime = strawberry.field(
        description="When the owner or an operator last changed it. Offers and answers do not count."
    )

    @strawberry.field(
        description="The memberships of this image that the caller may see, newest first: all of them for the owner "
        "and "
        "for operators, its own one for a consumer, none for anyone else."
    )
    async def members(
        self,
        info: Info,
        first: First = None,
        last: Last = None,
        after: After = None,
        before: Before = None,
        status: Annotated[
            list[MemberStatus] | None,
            strawberry.argument(description="Only memberships in one of these statuses; null for all."),
        ] = None,
    ) -> Connection[Annotated["Member", strawberry.lazy("app.api.types.members")]]:
        from app.api.types.members import Member

        wanted = MemberFilter(status=None if status is None else tuple(status))
        load = info.context.load
        key = MembersOf(self.id, wanted, page_request(first, last, after, before))
        page = await load.members_of.load(key)
        return connection(page, Member.of, lambda: load.member_count_of.load(key))

    @strawberry.field(description="The caller's own membership; null when the image is not offered to it.")
    async def viewer_membership(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("app.api.types.members")] | None:
        from app.api.types.members import Member

        row = await info.context.load.own_membership.load(self.id)
        return None if row is None else Member.of(row)

    @classmethod
    def of(cls, image: SeenImage) -> "Image":
        columns = image._asdict()
        owner_id, size = columns.pop("owner_id"), columns.pop("size_bytes")
        return cls(
            **columns,
            owner=None if owner_id is None else Tenant(id=owner_id),
            size_bytes=None if size is None else ByteCount(size),
        )


def image_filter(
    pattern: str,
    member_status: Sequence[MemberStatus] | None,
    owner_id: str | None,
    visibility: ImageVisibility | None,
    status: Sequence[ImageStatus] | None,
    name: str | None,
    hidden: bool | None,
) -> ImageFilter:
    """Which images of the caller's list are asked for. Raises BadUserInput."""
    return ImageFilter(
        member_status=None if member_status is None else tuple(member_status),
        owner_id=None if owner_id is None else formats.tenant_id(owner_id, pattern),
        visibility=visibility,
        status=None if status is None else tuple(status),
        name=None if name is None else formats.text(name),
        hidden=hidden,
    )


@strawberry.type
class ImageQueries:
    @strawberry.field(
        description="An image by its ID, pending and rejected offers included. Null when there is none that the caller "
        "may see; whether it exists is not told."
    )
    async def image(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="ID of the image.")]
    ) -> Image | None:
        load = info.context.load
        known = formats.uuid(id)
        row = await load.image.load(known) if known else None
        return None if row is None else Image.of(row)

    @strawberry.field(
        description="The caller's image list, newest first: its own images, those shared to it and accepted, and the "
        "PUBLIC ones. Operators see every image."
    )
    async def images(
        self,
        info: Info,
        first: First = None,
        last: Last = None,
        after: After = None,
        before: Before = None,
        member_status: Annotated[
            list[MemberStatus] | None,
            strawberry.argument(
                description="Of the images shared to the caller, those with these answers; null for all. "
                "The caller's own images are listed in any case."
            ),
        ] = [MemberStatus.ACCEPTED],  # noqa: B006  # the schema shows the default; nobody changes it
        owner_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                description="Only images that the caller may know to be this tenant's. For a tenant that shares "
                "nothing "
                "to the caller, and for one that does not exist, the list is empty."
            ),
        ] = None,
        visibility: Annotated[
            ImageVisibility | None, strawberry.argument(description="Only images of this visibility.")
        ] = None,
        status: Annotated[
            list[ImageStatus] | None, strawberry.argument(description="Only images in one of these states.")
        ] = None,
        name: Annotated[str | None, strawberry.argument(description="Only images of exactly this name.")] = None,
        hidden: Annotated[
            bool | None,
            strawberry.argument(description="True lists the hidden images instead; null lists both."),
        ] = False,
    ) -> Connection[Image]:
        context = info.context
        pattern = context.services.settings.tenant_id_pattern
        wanted = image_filter(pattern, member_status, owner_id, visibility, status, name, hidden)
        page = await context.read(images.listed, wanted, page_request(first, last, after, before))
        return connection(page, Image.of, lambda: context.read(images.count_listed, wanted))
