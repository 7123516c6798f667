"""Members, the rows that bind an image to a consumer, and the two lists of offers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from app.api.operation.context import Info
from app.api.types.images import Image
from app.api.types.node_interface import Node
from app.api.types.paging import After, Before, Connection, First, Last, connection, page_request
from app.api.types.tenants import Tenant
from app.model import MemberStatus, SeenImage, SeenMember
from app.sharing import formats
from app.store import members
from app.store.members import MemberFilter


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


OfImage = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only offers of this image; of an unknown one there are none."),
]
Status = Annotated[
    list[MemberStatus] | None,
    strawberry.argument(description="Only offers in one of these statuses; null for all."),
]


@strawberry.type
class MemberQueries:
    @strawberry.field(
        description="The inbox: what is offered to the caller's tenant, newest first, the unanswered ones unless "
        "`status` "
        "says otherwise. Offers of images that are not SHARED at present are left out."
    )
    async def offers(
        self,
        info: Info,
        first: First = None,
        last: Last = None,
        after: After = None,
        before: Before = None,
        status: Status = [MemberStatus.PENDING],  # noqa: B006  # the schema shows the default; nobody changes it
        owner_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only offers of this producer.")
        ] = None,
        image_id: OfImage = None,
    ) -> Connection[Member]:
        context = info.context
        wanted = member_filter(_pattern(info), status, image_id, owner_id=owner_id)
        page = await context.read(members.offers, wanted, page_request(first, last, after, before))
        return connection(page, Member.of, lambda: context.read(members.count_offers, wanted))

    @strawberry.field(
        description="The outbox: what the caller's tenant has offered, over all its images, newest first. Offers of "
        "images "
        "that are not SHARED at present are in it, since they count again when the image is SHARED."
    )
    async def sent_offers(
        self,
        info: Info,
        first: First = None,
        last: Last = None,
        after: After = None,
        before: Before = None,
        status: Status = None,
        image_id: OfImage = None,
        tenant_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only offers to this consumer.")
        ] = None,
    ) -> Connection[Member]:
        context = info.context
        wanted = member_filter(_pattern(info), status, image_id, tenant_id=tenant_id)
        page = await context.read(members.sent, wanted, page_request(first, last, after, before))
        return connection(page, Member.of, lambda: context.read(members.count_sent, wanted))


def member_filter(
    pattern: str,
    status: Sequence[MemberStatus] | None,
    image_id: str | None,
    owner_id: str | None = None,
    tenant_id: str | None = None,
) -> MemberFilter:
    """Which offers are asked for. Raises BadUserInput."""
    return MemberFilter(
        status=None if status is None else tuple(status),
        image_id=formats.id_or_none(image_id),
        owner_id=None if owner_id is None else formats.tenant_id(owner_id, pattern),
        tenant_id=None if tenant_id is None else formats.tenant_id(tenant_id, pattern),
    )


def _pattern(info: Info) -> str:
    return info.context.services.settings.tenant_id_pattern
