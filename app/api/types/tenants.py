"""Tenants, of which the gateway tells nothing but the ID."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from app.api.operation.context import Info
from app.api.operation.loaders import ImagesOf
from app.api.types.node_interface import Node
from app.api.types.paging import After, Before, Connection, First, Last, connection, page_request
from app.model import ImageStatus, ImageVisibility
from app.store.images import ImageFilter

if TYPE_CHECKING:
    from app.api.types.images import Image


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
    ) -> Connection[Annotated["Image", strawberry.lazy("app.api.types.images")]]:
        from app.api.types.images import Image

        states = None if status is None else tuple(status)
        wanted = ImageFilter(visibility=visibility, status=states, hidden=hidden)
        load = info.context.load
        key = ImagesOf(self.id, wanted, page_request(first, last, after, before))
        page = await load.images_of.load(key)
        return connection(page, Image.of, lambda: load.image_count_of.load(key))


@strawberry.type
class TenantQueries:
    @strawberry.field(description="The caller's own tenant.")
    def viewer(self, info: Info) -> Tenant:
        return Tenant(id=strawberry.ID(info.context.caller.tenant_id))
