"""What a watch delivers: changes, states, and what keeps a watching client complete."""

from datetime import datetime

import strawberry

from app.api.operation.context import Info
from app.api.types.nodes import Image, Member, Tenant
from app.api.types.scalars import Cursor
from app.events.feed import Gap
from app.model import ChangeKind, ImageChangeKind, ImageStatus, ImageVisibility, MemberStatus

_ALIKE = "Never null; its type is that of the same field of a change, so that one selection may take both."


@strawberry.interface(description="One item of a watch. Items come in the order in which the changes were committed.")
class WatchItem:
    cursor: Cursor = strawberry.field(
        description="Where the watch stands after this item. Pass the last one processed as `after` to go on without "
        "a gap, with the same filter. It is also in `extensions.cursor` of every message."
    )


@strawberry.type(
    description="Nothing new: everything up to `cursor` has been delivered. Comes first when a watch starts live from "
    "now, and then after each stretch of silence."
)
class WatchBookmark(WatchItem):
    at: datetime = strawberry.field(description="When the gateway said so.")


@strawberry.type(description="The snapshot is complete: what follows are changes from here on.")
class WatchSynced(WatchItem):
    pass


@strawberry.type(
    description="A gap: forget what this watch has told so far. The present state follows (`MemberState` or "
    "`ImageState`), then `WatchSynced`, then changes."
)
class WatchReset(WatchItem):
    reason: Gap = strawberry.field(description="Why the watch could not go on from its cursor.")


@strawberry.type(
    description="A membership as it stands: part of the snapshot that a watch starts with. A cursor from inside a "
    "snapshot begins the snapshot again."
)
class MemberState(WatchItem):
    member_id: strawberry.ID = strawberry.field(description="ID of the membership.")
    image_id: strawberry.ID = strawberry.field(description="ID of the image.")
    owner: Tenant = strawberry.field(description="The producer.")
    tenant: Tenant = strawberry.field(description="The consumer.")
    status: MemberStatus | None = strawberry.field(description=f"The consumer's answer, as of the snapshot. {_ALIKE}")

    @strawberry.field(description="The membership as of now; null when it has ended since the snapshot was taken.")
    async def member(self, info: Info) -> Member | None:
        return await _member(info, self.member_id)


@strawberry.type(
    description="An image as it stands: part of the snapshot that a watch starts with. A cursor from inside a snapshot "
    "begins the snapshot again."
)
class ImageState(WatchItem):
    image_id: strawberry.ID = strawberry.field(description="ID of the image.")
    status: ImageStatus | None = strawberry.field(
        description=f"Where the image is in its life, as of the snapshot. {_ALIKE}"
    )
    visibility: ImageVisibility | None = strawberry.field(
        description=f"Who may see the image, as of the snapshot. {_ALIKE}"
    )

    @strawberry.field(description="The image as of now; null when it has gone out of sight since the snapshot.")
    async def image(self, info: Info) -> Image | None:
        return await _image(info, self.image_id)


@strawberry.type(
    description="One change of one membership, as of the event. Each is delivered once for a watch; a client that "
    "resumes drops what it has processed by `cursor`."
)
class MemberStatusChanged(WatchItem):
    occurred_at: datetime = strawberry.field(description="When the change was made.")
    kind: ChangeKind = strawberry.field(description="What happened.")
    previous_status: MemberStatus | None = strawberry.field(
        description="The status before; null when the image was just offered."
    )
    status: MemberStatus | None = strawberry.field(description="The status after; null when the membership has ended.")
    member_id: strawberry.ID = strawberry.field(description="ID of the membership.")
    image_id: strawberry.ID = strawberry.field(description="ID of the image.")
    owner: Tenant = strawberry.field(description="The producer.")
    tenant: Tenant = strawberry.field(description="The consumer.")
    actor: Tenant | None = strawberry.field(
        description="Which of the two did it; null when it was an operator of neither."
    )

    @strawberry.field(
        description="The membership as of now; null when it has ended or the caller may not see it any more."
    )
    async def member(self, info: Info) -> Member | None:
        return await _member(info, self.member_id)


@strawberry.type(
    description="One change of one image, as the caller is told of it, as of the event: of its status or visibility, "
    "or that the caller has gained or lost it."
)
class ImageChanged(WatchItem):
    occurred_at: datetime = strawberry.field(description="When the change was made.")
    kind: ImageChangeKind = strawberry.field(description="What happened.")
    image_id: strawberry.ID = strawberry.field(description="ID of the image.")
    owner: Tenant = strawberry.field(description="The producer.")
    previous_status: ImageStatus | None = strawberry.field(
        description="The image's status before; null when the image is new to the caller."
    )
    status: ImageStatus | None = strawberry.field(
        description="The image's status after; null when it is gone, or out of the caller's sight."
    )
    previous_visibility: ImageVisibility | None = strawberry.field(
        description="The visibility before; null when the image is new to the caller."
    )
    visibility: ImageVisibility | None = strawberry.field(
        description="The visibility after; null when it is gone, or out of the caller's sight."
    )

    @strawberry.field(description="The image as of now; null when it is gone or the caller may not see it any more.")
    async def image(self, info: Info) -> Image | None:
        return await _image(info, self.image_id)


ITEMS = [MemberState, WatchSynced, MemberStatusChanged, ImageChanged, ImageState, WatchBookmark, WatchReset]


async def _member(info: Info, member_id: str) -> Member | None:
    row = await info.context.load.member.load(member_id)
    return None if row is None else Member.of(row)


async def _image(info: Info, image_id: str) -> Image | None:
    row = await info.context.load.image.load(image_id)
    return None if row is None else Image.of(row)
