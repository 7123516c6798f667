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
    id: strawberry.ID = strawberry.field(description="The ID, for `node(id:)`.")


@strawberry.type(
    description="A tenant of the cloud. Tenants can't be searched or listed. They are reachable only as the caller's "
    "own tenant, as the owner of an image to which the caller is a party, or as the consumer of a membership that the "
    "caller may see."
)
class Tenant(Node):
    @strawberry.field(
        description="The images owned by this tenant, as far as the caller may know their owner, newest first: all of "
        "them for the tenant itself, otherwise those shared to the caller. Empty for a tenant that shares nothing to "
        "the caller and for one that does not exist."
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
            bool | None,
            strawberry.argument(description="True lists only hidden images, false only the others, null both."),
        ] = False,
    ) -> "Connection[Image]":
        states = None if status is None else tuple(status)
        criteria = ImageFilter(visibility=visibility, status=states, hidden=hidden)
        load = info.context.load
        key = ImagesOf(self.id, criteria, page_request(first, last, after, before))
        page = await load.images_of.load(key)
        return connection(page, Image.of, lambda: load.image_count_of.load(key))


_PARTIES = "Visible to the owner, the image's members and operators; null for everyone else."


@strawberry.type(
    description="An image as registered with the gateway, which records who shares it to whom. The "
    "gateway does not transfer image data."
)
class Image(Node):
    name: str = strawberry.field(description="The name given by the owner, 1 to 255 characters, not unique.")
    external_id: strawberry.ID | None = strawberry.field(
        description="ID of the image in the owner's own catalogue, unique among its images; null if it has none. "
        f"{_PARTIES}"
    )
    owner: Tenant | None = strawberry.field(description=f"The producer. {_PARTIES}")
    origin: ImageOrigin = strawberry.field(description="Where the image came from.")
    server_id: strawberry.ID | None = strawberry.field(
        description=f"ID of the server of which a SNAPSHOT was taken; null for an IMPORT. {_PARTIES}"
    )
    source_url: str | None = strawberry.field(
        description=f"The URL from which an IMPORT came; null for a SNAPSHOT. {_PARTIES}"
    )
    status: ImageStatus = strawberry.field(description="The image's state in its life cycle.")
    visibility: ImageVisibility = strawberry.field(description="Who may see the image.")
    size_bytes: ByteCount | None = strawberry.field(description="Size of the image data in bytes; null if unknown.")
    min_disk_gb: int = strawberry.field(description="Minimum disk size of a server, in GB; 0 for no minimum.")
    min_ram_mb: int = strawberry.field(description="Minimum memory of a server, in MB; 0 for no minimum.")
    os_type: OsType | None = strawberry.field(description="Operating system family; null if unknown.")
    checksum: str | None = strawberry.field(
        description="Checksum of the data as given by the owner, such as `sha256:9f86d0...`; null if unknown."
    )
    disk_format: str | None = strawberry.field(
        description="Format of the disk in the data, such as `qcow2`; null if unknown. Only in front of a cloud."
    )
    container_format: str | None = strawberry.field(
        description="Format of the container in the data, such as `bare`; null if unknown. Only in front of a cloud."
    )
    tags: list[str] = strawberry.field(description="Up to 50 tags set by the owner, each 1 to 255 characters.")
    protected: bool = strawberry.field(
        description="Whether the image is protected from deletion. Sharing is not affected."
    )
    hidden: bool = strawberry.field(description="Whether image lists leave the image out unless `hidden` requests it.")
    created_at: datetime = strawberry.field(description="When the image was registered.")
    updated_at: datetime = strawberry.field(
        description="When the owner or an operator last changed the image. Offers and answers do not change it."
    )

    @strawberry.field(
        description="The memberships of this image that the caller may see, newest first: all for the owner and "
        "operators, only its own for a consumer, none for anyone else."
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
        criteria = MemberFilter(status=None if status is None else tuple(status))
        load = info.context.load
        key = MembersOf(self.id, criteria, page_request(first, last, after, before))
        page = await load.members_of.load(key)
        return connection(page, Member.of, lambda: load.member_count_of.load(key))

    @strawberry.field(description="The caller's own membership; null if the image is not offered to the caller.")
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
    description="A membership: one image offered to one consumer, in any status. Only the owner of the image, the "
    "consumer and operators can see it."
)
class Member(Node):
    tenant: Tenant = strawberry.field(
        description="The consumer. A membership does not imply that such a tenant exists."
    )
    status: MemberStatus = strawberry.field(description="The consumer's answer.")
    created_at: datetime = strawberry.field(description="When the offer was made.")
    updated_at: datetime = strawberry.field(
        description="When the status last changed; equal to `createdAt` until the first answer."
    )
    image_id: strawberry.Private[str]
    seen_image: strawberry.Private[SeenImage | None] = None

    @strawberry.field(description="The shared image.")
    async def image(self, info: Info) -> Image:
        image = self.seen_image or await info.context.load.image.load(self.image_id)
        assert image is not None, "who sees a member row sees its image, in the same view of the store"
        return Image.of(image)

    @classmethod
    def of(cls, row: SeenMember, image: SeenImage | None = None) -> "Member":
        """Convert a row, with its image if that is already loaded."""
        return cls(
            id=strawberry.ID(row.id),
            tenant=Tenant(id=strawberry.ID(row.tenant_id)),
            status=row.status,
            created_at=row.created_at,
            updated_at=row.updated_at,
            image_id=row.image_id,
            seen_image=image,
        )
