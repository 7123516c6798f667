"""The types with an ID: tenants, images, and the members that bind an image to a consumer."""

from datetime import datetime
from typing import Annotated

import strawberry

from app.api.operation.context import Info
from app.api.operation.loaders import ImagesOf, MembersOf
from app.api.types.paging import After, Before, Connection, First, Last, connection, page_request
from app.api.types.scalars import ByteCount
from app.model import ImageOrigin, ImageStatus, ImageVisibility, MemberStatus, OsType, SeenImage, SeenMember
from app.store.images import ImageFilter
from app.store.members import MemberFilter


@strawberry.interface(description="An object with an ID that is unique over all types.")
class Node:
    id: strawberry.ID = strawberry.field(description="The ID, as `node(id:)` takes it.")


@strawberry.type(
    description="A tenant of the cloud. It can't be searched for or listed: it is reached as the caller itself, as the "
    "owner of an image that the caller is a party to, or as the consumer in a row that the caller may see."
)
class Tenant(Node):
    @strawberry.field(
        description="The images of this tenant that the caller may know to be this tenant's, newest first: all of "
        "its own, or those shared to the caller. For a tenant that shares nothing, and for one that does not exist, "
        "it is empty."
    )
    async def images(
        self,
        info: Info,
        first: First = None,
        last: Last = None,
        after: After = None,
        before: Before = None,
        visibility: Annotated[
            ImageVisibility | None, strawberry.argument(description="Only images of this visibility.")
        ] = None,
        status: Annotated[
            list[ImageStatus] | None, strawberry.argument(description="Only images in one of these states.")
        ] = None,
        hidden: Annotated[
            bool | None, strawberry.argument(description="True lists the hidden images instead; null lists both.")
        ] = False,
    ) -> "Connection[Image]":
        states = None if status is None else tuple(status)
        wanted = ImageFilter(visibility=visibility, status=states, hidden=hidden)
        load = info.context.load
        key = ImagesOf(self.id, wanted, page_request(first, last, after, before))
        page = await load.images_of.load(key)
        return connection(page, Image.of, lambda: load.image_count_of.load(key))


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
    ) -> "Connection[Member]":
        wanted = MemberFilter(status=None if status is None else tuple(status))
        load = info.context.load
        key = MembersOf(self.id, wanted, page_request(first, last, after, before))
        page = await load.members_of.load(key)
        return connection(page, Member.of, lambda: load.member_count_of.load(key))

    @strawberry.field(description="The caller's own membership; null when the image is not offered to it.")
    async def viewer_membership(self, info: Info) -> "Member | None":
        row = await info.context.load.own_membership.load(self.id)
        return None if row is None else Member.of(row)

    @classmethod
    def of(cls, image: SeenImage) -> "Image":
        columns = image.as_dict()
        owner_id, size = columns.pop("owner_id"), columns.pop("size_bytes")
        return cls(
            **columns,
            owner=None if owner_id is None else Tenant(id=owner_id),
            size_bytes=None if size is None else ByteCount(size),
        )


@strawberry.type(
    description="One image offered to one consumer, whatever the answer. The owner of the image and the consumer see "
    "the row, and nobody else but operators."
)
class Member(Node):
    tenant: Tenant = strawberry.field(description="The consumer. That it stands here does not say that it exists.")
    status: MemberStatus = strawberry.field(description="The consumer's answer.")
    created_at: datetime = strawberry.field(description="When the offer was made.")
    updated_at: datetime = strawberry.field(
        description="When the status last changed; equal to `createdAt` until the first answer."
    )
    image_id: strawberry.Private[str]
    seen_image: strawberry.Private[SeenImage | None] = None

    @strawberry.field(description="The image that is shared.")
    async def image(self, info: Info) -> Image:
        image = self.seen_image or await info.context.load.image.load(self.image_id)
        assert image is not None, "who sees a member row sees its image, in the same view of the store"
        return Image.of(image)

    @classmethod
    def of(cls, row: SeenMember, image: SeenImage | None = None) -> "Member":
        """The row, with its image when the caller has it at hand."""
        return cls(
            id=strawberry.ID(row.id),
            tenant=Tenant(id=strawberry.ID(row.tenant_id)),
            status=row.status,
            created_at=row.created_at,
            updated_at=row.updated_at,
            image_id=row.image_id,
            seen_image=image,
        )
