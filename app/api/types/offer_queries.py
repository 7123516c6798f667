"""The two lists of offers: the inbox and the outbox."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from app.api.operation.context import Info
from app.api.types.nodes import Member
from app.api.types.paging import After, Before, Connection, First, Last, connection, page_request
from app.model import MemberStatus
from app.sharing import formats
from app.store import members
from app.store.members import MemberFilter

OfImage = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only offers of this image. For an unknown image the list is empty."),
]
Status = Annotated[
    list[MemberStatus] | None,
    strawberry.argument(description="Only offers in one of these statuses; null for all."),
]


@strawberry.type
class OfferQueries:
    @strawberry.field(
        description="The inbox: offers to the caller's tenant, newest first, by default only pending ones. Offers of "
        "images that are not currently SHARED are left out."
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
        criteria = member_filter(_pattern(info), status, image_id, owner_id=owner_id)
        page = await context.read(members.offers, criteria, page_request(first, last, after, before))
        return connection(page, Member.of, lambda: context.read(members.count_offers, criteria))

    @strawberry.field(
        description="The outbox: the offers that the caller's tenant has made, of all its images, newest first. It "
        "includes offers of images that are not currently SHARED, since they take effect again when the image is "
        "SHARED."
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
        criteria = member_filter(_pattern(info), status, image_id, tenant_id=tenant_id)
        page = await context.read(members.sent, criteria, page_request(first, last, after, before))
        return connection(page, Member.of, lambda: context.read(members.count_sent, criteria))


def member_filter(
    pattern: str,
    status: Sequence[MemberStatus] | None,
    image_id: str | None,
    owner_id: str | None = None,
    tenant_id: str | None = None,
) -> MemberFilter:
    """The filter that the arguments describe. Raises BadUserInput."""
    return MemberFilter(
        status=None if status is None else tuple(dict.fromkeys(status)),
        image_id=formats.id_or_none(image_id),
        owner_id=None if owner_id is None else formats.tenant_id(owner_id, pattern),
        tenant_id=None if tenant_id is None else formats.tenant_id(tenant_id, pattern),
    )


def _pattern(info: Info) -> str:
    return info.context.services.settings.tenant_id_pattern
