"""The items of watches: changes, states of a snapshot, and control items."""

from datetime import datetime

import strawberry

from app.api.operation.context import Info
from app.api.types.nodes import Image, Member, Tenant
from app.api.types.scalars import Cursor
from app.events.cursor import Gap
from app.model import ChangeKind, ImageChangeKind, ImageStatus, ImageVisibility, MemberStatus

_ALIKE = "Never null; nullable only so that one selection can be used for states and changes."


@strawberry.interface(description="One item of a watch. Items arrive in the order in which the changes were committed.")
class WatchItem:
    cursor: Cursor = strawberry.field(
        description="The position of the watch after this item. To resume without a gap, pass the cursor of the last "
        "item processed as `after`, with the same filter. It is also in `extensions.cursor` of every message."
    )


@strawberry.type(
    description="No new change: everything up to `cursor` has been delivered. A watch that starts with changes from "
    "now on begins with one, and sends others when there has been no change for a while."
)
class WatchBookmark(WatchItem):
    at: datetime = strawberry.field(description="When the gateway sent the bookmark.")


@strawberry.type(description="The snapshot is complete. Changes follow.")
class WatchSynced(WatchItem):
    pass


@strawberry.type(
    description="A gap: discard everything that this watch has delivered so far. The current state follows "
    "(`MemberState` or `ImageState`), then `WatchSynced`, then changes."
)
class WatchReset(WatchItem):
    reason: Gap = strawberry.field(description="Why the watch could not continue from its cursor.")


@strawberry.type(
    description="The state of a membership, as part of a snapshot. Resuming from a cursor inside a snapshot starts "
    "the snapshot again."
)
class MemberState(WatchItem):
    member_id: strawberry.ID = strawberry.field(description="ID of the membership.")
    image_id: strawberry.ID = strawberry.field(description="ID of the image.")
    owner: Tenant = strawberry.field(description="The producer.")
    tenant: Tenant = strawberry.field(description="The consumer.")
    status: MemberStatus | None = strawberry.field(
        description=f"The consumer's answer when the snapshot was taken. {_ALIKE}"
    )

    @strawberry.field(description="The current membership; null if it has ended since the snapshot was taken.")
    async def member(self, info: Info) -> Member | None:
        return await _member(info, self.member_id)


@strawberry.type(
    description="The state of an image, as part of a snapshot. Resuming from a cursor inside a snapshot starts the "
    "snapshot again."
)
class ImageState(WatchItem):
    image_id: strawberry.ID = strawberry.field(description="ID of the image.")
    status: ImageStatus | None = strawberry.field(
        description=f"The image's state in its life cycle when the snapshot was taken. {_ALIKE}"
    )
    visibility: ImageVisibility | None = strawberry.field(
        description=f"The image's visibility when the snapshot was taken. {_ALIKE}"
    )

    @strawberry.field(description="The current image; null if the caller can no longer see it.")
    async def image(self, info: Info) -> Image | None:
        return await _image(info, self.image_id)


@strawberry.type(
    description="One change of one membership, with the values at that time. A watch delivers each change once; a "
    "client that resumes uses `cursor` to skip what it has already processed."
)
class MemberStatusChanged(WatchItem):
    occurred_at: datetime = strawberry.field(description="When the change was made.")
    kind: ChangeKind = strawberry.field(description="What happened.")
    previous_status: MemberStatus | None = strawberry.field(
        description="The status before the change; null if the image was just offered."
    )
    status: MemberStatus | None = strawberry.field(
        description="The status after the change; null if the membership has ended."
    )
    member_id: strawberry.ID = strawberry.field(description="ID of the membership.")
    image_id: strawberry.ID = strawberry.field(description="ID of the image.")
    owner: Tenant = strawberry.field(description="The producer.")
    tenant: Tenant = strawberry.field(description="The consumer.")
    actor: Tenant | None = strawberry.field(
        description="Which of the two made the change; null if it was an operator of another tenant."
    )

    @strawberry.field(description="The current membership; null if it has ended or the caller can no longer see it.")
    async def member(self, info: Info) -> Member | None:
        return await _member(info, self.member_id)


@strawberry.type(
    description="One change of one image from the caller's point of view, with the values at that time: its status or "
    "visibility changed, or the caller gained or lost access."
)
class ImageChanged(WatchItem):
    occurred_at: datetime = strawberry.field(description="When the change was made.")
    kind: ImageChangeKind = strawberry.field(description="What happened.")
    image_id: strawberry.ID = strawberry.field(description="ID of the image.")
    owner: Tenant = strawberry.field(description="The producer.")
    previous_status: ImageStatus | None = strawberry.field(
        description="The status before the change; null if the caller has just gained access."
    )
    status: ImageStatus | None = strawberry.field(
        description="The status after the change; null if the image was deleted or the caller lost access."
    )
    previous_visibility: ImageVisibility | None = strawberry.field(
        description="The visibility before the change; null if the caller has just gained access."
    )
    visibility: ImageVisibility | None = strawberry.field(
        description="The visibility after the change; null if the image was deleted or the caller lost access."
    )

    @strawberry.field(description="The current image; null if it was deleted or the caller can no longer see it.")
    async def image(self, info: Info) -> Image | None:
        return await _image(info, self.image_id)


ITEMS = [MemberState, WatchSynced, MemberStatusChanged, ImageChanged, ImageState, WatchBookmark, WatchReset]


async def _member(info: Info, member_id: str) -> Member | None:
    row = await info.context.load.member.load(member_id)
    return None if row is None else Member.of(row)


async def _image(info: Info, image_id: str) -> Image | None:
    row = await info.context.load.image.load(image_id)
    return None if row is None else Image.of(row)
