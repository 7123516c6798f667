"""The watch: the committed log, as one viewer may see it, over a subscription."""

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated

import strawberry

from app.api.context import Info
from app.api.members import Member
from app.api.scalars import Cursor
from app.api.tenants import Tenant
from app.events import cursor as cursors
from app.events.feed import Item
from app.model import Caller, Change, ChangeKind, MemberStatus


@strawberry.enum(description="The side that the caller's tenant is on.")
class OfferRole(Enum):
    PRODUCER = strawberry.enum_value("PRODUCER", description="Offers of the caller's own images.")
    CONSUMER = strawberry.enum_value("CONSUMER", description="Offers made to the caller.")


@strawberry.input(description="Which changes to hear of; an absent field means any.")
class OfferWatchFilter:
    role: OfferRole | None = strawberry.field(default=None, description="Only as this side; null for both.")
    image_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Only of this image. An image that is unknown, foreign or revoked gives the same silent, live "
        "stream.",
    )
    status: list[MemberStatus] | None = strawberry.field(
        default=None, description="Only changes from or to one of these statuses."
    )


@strawberry.interface(description="One item of a watch. Items come in the order in which the changes were committed.")
class WatchItem:
    cursor: Cursor = strawberry.field(
        description="Where the watch stands after this item. Pass the last one processed as `after` to go on without "
        "a gap, with the same filter."
    )


@strawberry.type(
    description="Nothing new: everything up to `cursor` has been delivered. Comes first when a watch starts without "
    "`after`, "
    "and then after each stretch of silence."
)
class WatchBookmark(WatchItem):
    at: datetime = strawberry.field(description="When the gateway said so.")


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
        row = await info.context.load.member.load(self.member_id)
        return None if row is None else Member.of(row)


@strawberry.type
class Subscription:
    @strawberry.subscription(
        description="Every change of the memberships that the caller is a party to, in commit order, each once; "
        "resumable "
        "from any cursor, also after a restart. Operators hear of all memberships. A cursor that was changed, or is of "
        "another viewer or filter, is refused with CURSOR_INVALID; one outside the kept log with CURSOR_EXPIRED."
    )
    async def watch_offers(
        self,
        info: Info,
        after: Annotated[
            Cursor | None,
            strawberry.argument(
                description="Go on behind this cursor of an earlier item; null starts live from now, and the first "
                "item "
                "tells from which cursor."
            ),
        ] = None,
        filter: Annotated[
            OfferWatchFilter | None,
            strawberry.argument(description="Which changes to hear of; null for all."),
        ] = None,
    ) -> AsyncGenerator[WatchItem, None]:
        feed, viewer = info.context.services.feed, info.context.caller
        wanted = filter or OfferWatchFilter()
        watch = _fingerprint(wanted)
        known = None if after is None else feed.seal.open(after, viewer, watch)
        position = await feed.position_after(known)
        return _items(info, _concerns(viewer, wanted), position, watch, announce=after is None)


async def _items(
    info: Info, concerns: Callable[[Change], bool], position: int, watch: bytes, announce: bool
) -> AsyncGenerator[WatchItem, None]:
    context = info.context
    feed, silence = context.services.feed, context.services.settings.bookmark_seconds

    def show(item: Item) -> WatchItem:
        if item.change is None:
            return _bookmark(Cursor(feed.seal.close_between(item.position, context.caller, watch)))
        return _changed(Cursor(feed.seal.close(item.position, context.caller, watch)), item.change)

    if announce:
        yield show(Item(position, None))
    async for item in feed.follow(context.caller, concerns, position, silence):
        yield show(item)
        # The next item's nested fields are read as of then, and no view is held open while waiting for it.
        await context.renew()


def _bookmark(cursor: Cursor) -> WatchBookmark:
    return WatchBookmark(cursor=cursor, at=datetime.now(UTC))


def _changed(cursor: Cursor, change: Change) -> MemberStatusChanged:
    actor = change.actor_id if change.actor_id in (change.owner_id, change.tenant_id) else None
    return MemberStatusChanged(
        cursor=cursor,
        occurred_at=change.occurred_at,
        kind=change.kind,
        previous_status=change.previous_status,
        status=change.status,
        member_id=strawberry.ID(change.member_id),
        image_id=strawberry.ID(change.image_id),
        owner=Tenant(id=strawberry.ID(change.owner_id)),
        tenant=Tenant(id=strawberry.ID(change.tenant_id)),
        actor=None if actor is None else Tenant(id=strawberry.ID(actor)),
    )


def _fingerprint(wanted: OfferWatchFilter) -> bytes:
    role = None if wanted.role is None else wanted.role.name
    status = None if wanted.status is None else sorted(wanted.status)
    return cursors.fingerprint("watchOffers", role, wanted.image_id, status)


def _concerns(viewer: Caller, wanted: OfferWatchFilter) -> Callable[[Change], bool]:
    """Whether the viewer may hear of a change, by its rights at that place in the log, and asked for it."""
    me, role = viewer.tenant_id, wanted.role

    def concerns(change: Change) -> bool:
        as_producer = change.owner_id == me and role is not OfferRole.CONSUMER
        as_consumer = change.tenant_id == me and role is not OfferRole.PRODUCER
        party = as_producer or as_consumer or (viewer.is_operator and role is None)
        image = wanted.image_id is None or change.image_id == wanted.image_id
        steps = (change.previous_status, change.status)
        return party and image and (wanted.status is None or any(step in wanted.status for step in steps))

    return concerns
