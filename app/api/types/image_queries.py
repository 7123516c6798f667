"""Queries that start at images."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from app.api.operation.context import Info
from app.api.types.nodes import Image
from app.api.types.paging import After, Before, Connection, First, Last, connection, page_request
from app.model import ImageStatus, ImageVisibility, MemberStatus
from app.sharing import formats
from app.store import images
from app.store.images import ImageFilter

MemberStatuses = Annotated[
    list[MemberStatus] | None,
    strawberry.argument(
        description="Among the images shared to the caller, only those with one of these statuses; null for all. The "
        "caller's own images are always listed."
    ),
]
OwnerId = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="Only images owned by this tenant, as far as the caller may know their owner. The list is empty "
        "for a tenant that shares nothing to the caller and for one that does not exist."
    ),
]
ExternalId = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="Only images with this external ID, as far as the caller may know it: own images, and those "
        "shared to the caller."
    ),
]


def image_filter(
    pattern: str,
    member_status: Sequence[MemberStatus] | None,
    owner_id: str | None,
    visibility: ImageVisibility | None,
    status: Sequence[ImageStatus] | None,
    name: str | None,
    external_id: str | None,
    hidden: bool | None,
) -> ImageFilter:
    """The filter for a list of images. Raises BadUserInput."""
    return ImageFilter(
        member_status=None if member_status is None else tuple(dict.fromkeys(member_status)),
        owner_id=None if owner_id is None else formats.tenant_id(owner_id, pattern),
        visibility=visibility,
        status=None if status is None else tuple(dict.fromkeys(status)),
        name=None if name is None else formats.text(name),
        external_id=None if external_id is None else formats.text(external_id),
        hidden=hidden,
    )


@strawberry.type
class ImageQueries:
    @strawberry.field(
        description="An image by its ID, including images whose offer is pending or rejected. Null when there is no "
        "such image or the caller may not see it."
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
        member_status: MemberStatuses = [MemberStatus.ACCEPTED],  # noqa: B006  # the schema shows the default; nobody changes it
        owner_id: OwnerId = None,
        visibility: Annotated[
            ImageVisibility | None, strawberry.argument(description="Only images of this visibility.")
        ] = None,
        status: Annotated[
            list[ImageStatus] | None, strawberry.argument(description="Only images in one of these states.")
        ] = None,
        name: Annotated[str | None, strawberry.argument(description="Only images of exactly this name.")] = None,
        external_id: ExternalId = None,
        hidden: Annotated[
            bool | None,
            strawberry.argument(description="True lists only hidden images, false only the others, null both."),
        ] = False,
    ) -> Connection[Image]:
        context = info.context
        pattern = context.services.settings.tenant_id_pattern
        criteria = image_filter(pattern, member_status, owner_id, visibility, status, name, external_id, hidden)
        page = await context.read(images.read_list, criteria, page_request(first, last, after, before))
        return connection(page, Image.of, lambda: context.read(images.count_list, criteria))
