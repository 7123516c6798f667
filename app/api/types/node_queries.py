"""The caller's own tenant, and objects by their ID, whatever their type."""

from asyncio import gather
from typing import Annotated

import strawberry

from app.api.operation.context import Info
from app.api.types.nodes import Image, Member, Node, Tenant
from app.errors import BadUserInput
from app.sharing import formats

MAX_IDS = 100


@strawberry.type
class NodeQueries:
    @strawberry.field(description="The caller's own tenant.")
    def viewer(self, info: Info) -> Tenant:
        return Tenant(id=strawberry.ID(info.context.caller.tenant_id))

    @strawberry.field(
        description="An object by its ID: an image, a membership, or the caller's own tenant. Null if there is no "
        "such object or the caller may not see it."
    )
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The ID of any object.")],
    ) -> Node | None:
        return await _find(info, id)

    @strawberry.field(
        description="Objects by their IDs, in the same order, with null for each that does not exist or that the "
        f"caller may not see. More than {MAX_IDS} IDs are refused with BAD_USER_INPUT."
    )
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description=f"Up to {MAX_IDS} IDs.")],
    ) -> list[Node | None]:
        if len(ids) > MAX_IDS and info.context.caller:
            raise BadUserInput(f"Send at most {MAX_IDS} IDs at a time; these are {len(ids)}.")
        return await gather(*(_find(info, id_) for id_ in ids))


async def _find(info: Info, id_: str) -> Node | None:
    """The object, if the caller may see it. A tenant is found by nobody but itself, and before all else.

    Tenant IDs may be UUIDs too. Those of others are looked up like any unknown ID, so neither the result nor the
    work reveals whether there is such a tenant.
    """
    known, viewer = formats.uuid(id_), info.context.caller.tenant_id
    if viewer in (id_, known):
        return Tenant(id=strawberry.ID(viewer))
    if known is None:
        return None
    load = info.context.load
    image, member = await gather(load.image.load(known), load.member.load(known))
    if image is not None:
        return Image.of(image)
    return None if member is None else Member.of(member)
