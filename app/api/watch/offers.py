"""The changes of memberships, for `watchOffers` and `offerEvents`."""

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


def watch_of_offers(viewer: Caller, criteria: OfferWatchFilter) -> Watch:
    criteria = replace(criteria, image_id=criteria.image_id and strawberry.ID(formats.as_stored(criteria.image_id)))
    return Watch(_fingerprint(criteria), _concerns(viewer, criteria), status_change, _states(criteria), _state)


def status_change(cursor: Cursor, change: Change) -> MemberStatusChanged:
    """Convert a log entry to a change of the schema."""
    entry = change.entry
    assert entry.kind is not None
    assert entry.member_id is not None
    actor = entry.actor_id if entry.actor_id in (entry.owner_id, entry.tenant_id) else None
    return MemberStatusChanged(
        cursor=cursor,
        occurred_at=change.occurred_at,
        kind=entry.kind,
        previous_status=entry.previous_status,
        status=entry.status,
        member_id=strawberry.ID(entry.member_id),
        image_id=strawberry.ID(entry.image_id),
        owner=Tenant(id=strawberry.ID(entry.owner_id)),
        tenant=Tenant(id=strawberry.ID(entry.tenant_id)),
        actor=None if actor is None else Tenant(id=strawberry.ID(actor)),
    )


def _states(criteria: OfferWatchFilter) -> Any:
    """The query for the memberships in a snapshot of the watch."""
    return partial(
        members.read_watched,
        row_filter=MemberFilter(
            None if criteria.status is None else tuple(criteria.status), formats.id_or_none(criteria.image_id)
        ),
        as_producer=criteria.role is not OfferRole.CONSUMER,
        as_consumer=criteria.role is not OfferRole.PRODUCER,
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


def _fingerprint(criteria: OfferWatchFilter) -> bytes:
    role = None if criteria.role is None else criteria.role.name
    status = None if criteria.status is None else sorted(criteria.status)
    return cursors.fingerprint("watchOffers", role, criteria.image_id, status)


def _concerns(viewer: Caller, criteria: OfferWatchFilter) -> Callable[[Change], bool]:
    """A predicate for changes that the viewer may see, by its rights at that time, and that match the filter."""
    me, role = viewer.tenant_id, criteria.role

    def concerns(change: Change) -> bool:
        entry = change.entry
        if entry.kind is None or (criteria.image_id is not None and entry.image_id != criteria.image_id):
            return False
        as_producer = entry.owner_id == me and role is not OfferRole.CONSUMER
        as_consumer = entry.tenant_id == me and role is not OfferRole.PRODUCER
        if not (as_producer or as_consumer or (viewer.is_operator and role is None)):
            return False
        return criteria.status is None or entry.status in criteria.status or entry.previous_status in criteria.status

    return concerns
