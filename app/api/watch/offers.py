"""What `watchOffers` and `offerEvents` tell: the changes of memberships."""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from functools import partial
from typing import Any

import strawberry

from app.api.types.nodes import Tenant
from app.api.types.scalars import Cursor
from app.api.watch.items import MemberState, MemberStatusChanged, WatchItem
from app.api.watch.run import Watch
from app.events import cursor as cursors
from app.model import Caller, Change, MemberStatus, SeenMember
from app.sharing import formats
from app.store import members
from app.store.members import MemberFilter


@strawberry.enum(description="The side of an offer on which the caller's tenant is.")
class OfferRole(Enum):
    PRODUCER = strawberry.enum_value("PRODUCER", description="Offers of the caller's own images.")
    CONSUMER = strawberry.enum_value("CONSUMER", description="Offers made to the caller.")


@strawberry.input(description="Which changes to deliver. An absent field matches all.")
class OfferWatchFilter:
    role: OfferRole | None = strawberry.field(
        default=None, description="Only changes in which the caller's tenant has this role; null for both."
    )
    image_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Only changes of this image. For an image that the caller may not see, the watch stays open and "
        "delivers nothing, just as for one that does not exist.",
    )
    status: list[MemberStatus] | None = strawberry.field(
        default=None, description="Only changes from or to one of these statuses."
    )


def watch_of_offers(viewer: Caller, wanted: OfferWatchFilter) -> Watch:
    wanted = replace(wanted, image_id=wanted.image_id and strawberry.ID(formats.as_stored(wanted.image_id)))
    return Watch(_fingerprint(wanted), _concerns(viewer, wanted), changed, _states(wanted), _state)


def changed(cursor: Cursor, change: Change) -> MemberStatusChanged:
    """A change of a membership, as the schema shows it."""
    news = change.entry
    assert news.kind is not None
    assert news.member_id is not None
    actor = news.actor_id if news.actor_id in (news.owner_id, news.tenant_id) else None
    return MemberStatusChanged(
        cursor=cursor,
        occurred_at=change.occurred_at,
        kind=news.kind,
        previous_status=news.previous_status,
        status=news.status,
        member_id=strawberry.ID(news.member_id),
        image_id=strawberry.ID(news.image_id),
        owner=Tenant(id=strawberry.ID(news.owner_id)),
        tenant=Tenant(id=strawberry.ID(news.tenant_id)),
        actor=None if actor is None else Tenant(id=strawberry.ID(actor)),
    )


def _states(wanted: OfferWatchFilter) -> Any:
    """The memberships that the watch would tell of, as a query of the store."""
    return partial(
        members.watched,
        wanted=MemberFilter(
            None if wanted.status is None else tuple(wanted.status), formats.id_or_none(wanted.image_id)
        ),
        as_producer=wanted.role is not OfferRole.CONSUMER,
        as_consumer=wanted.role is not OfferRole.PRODUCER,
    )


def _state(cursor: Cursor, found: tuple[SeenMember, str]) -> WatchItem:
    row, owner_id = found
    return MemberState(
        cursor=cursor,
        member_id=strawberry.ID(row.id),
        image_id=strawberry.ID(row.image_id),
        owner=Tenant(id=strawberry.ID(owner_id)),
        tenant=Tenant(id=strawberry.ID(row.tenant_id)),
        status=row.status,
    )


def _fingerprint(wanted: OfferWatchFilter) -> bytes:
    role = None if wanted.role is None else wanted.role.name
    status = None if wanted.status is None else sorted(wanted.status)
    return cursors.fingerprint("watchOffers", role, wanted.image_id, status)


def _concerns(viewer: Caller, wanted: OfferWatchFilter) -> Callable[[Change], bool]:
    """Whether the viewer may hear of a change, by its rights at that place in the log, and asked for it."""
    me, role = viewer.tenant_id, wanted.role

    def concerns(change: Change) -> bool:
        news = change.entry
        if news.kind is None or (wanted.image_id is not None and news.image_id != wanted.image_id):
            return False
        as_producer = news.owner_id == me and role is not OfferRole.CONSUMER
        as_consumer = news.tenant_id == me and role is not OfferRole.PRODUCER
        if not (as_producer or as_consumer or (viewer.is_operator and role is None)):
            return False
        return wanted.status is None or news.status in wanted.status or news.previous_status in wanted.status

    return concerns
