"""`watchImages`: changes of images, and of the caller's access to them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import strawberry

from app.api.types.nodes import Tenant
from app.api.types.scalars import Cursor
from app.api.watch.items import ImageChanged, ImageState, WatchItem
from app.api.watch.offers import OfferRole
from app.api.watch.run import Watch
from app.events import cursor as cursors
from app.model import Caller, Change, ChangeKind, ImageChangeKind, ImageVisibility, SeenImage
from app.sharing import formats
from app.store import images


@strawberry.input(description="Which images to watch. An absent field matches all.")
class ImageWatchFilter:
    role: OfferRole | None = strawberry.field(
        default=None, description="Only the caller's own images, or only those shared to it; null for both."
    )
    image_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Only this image. For an image that the caller may not see, the watch stays open and delivers "
        "nothing, just as for one that does not exist.",
    )


# For a consumer, changes of its membership are changes of its access to the image.
_AS_CONSUMER = {
    ChangeKind.OFFERED: ImageChangeKind.ACCESS_GAINED,
    ChangeKind.REVOKED: ImageChangeKind.ACCESS_LOST,
    ChangeKind.IMAGE_DELETED: ImageChangeKind.DELETED,
}


def watch_of_images(viewer: Caller, criteria: ImageWatchFilter) -> Watch:
    criteria = replace(criteria, image_id=criteria.image_id and strawberry.ID(formats.as_stored(criteria.image_id)))
    role = None if criteria.role is None else criteria.role.name
    fingerprint = cursors.fingerprint("watchImages", role, criteria.image_id)
    return Watch(fingerprint, _concerns(viewer, criteria), _changed, _states(criteria), _state)


def _changed(cursor: Cursor, change: Change) -> WatchItem:
    entry = change.entry
    kind = entry.image_kind if entry.kind is None else _AS_CONSUMER[entry.kind]
    assert kind is not None
    previous = entry.previous_image_status, entry.previous_visibility
    now = entry.image_status, entry.visibility
    if entry.kind is not None:
        previous, now = ((None, None), now) if kind is ImageChangeKind.ACCESS_GAINED else (now, (None, None))
    return ImageChanged(
        cursor=cursor,
        occurred_at=change.occurred_at,
        kind=kind,
        image_id=strawberry.ID(entry.image_id),
        owner=Tenant(id=strawberry.ID(entry.owner_id)),
        previous_status=previous[0],
        previous_visibility=previous[1],
        status=now[0],
        visibility=now[1],
    )


def _states(criteria: ImageWatchFilter) -> Any:
    """The query for the images in a snapshot of the watch."""
    return partial(
        images.read_watched,
        image_id=formats.id_or_none(criteria.image_id),
        as_producer=criteria.role is not OfferRole.CONSUMER,
        as_consumer=criteria.role is not OfferRole.PRODUCER,
    )


def _state(cursor: Cursor, row: SeenImage) -> WatchItem:
    return ImageState(cursor=cursor, image_id=strawberry.ID(row.id), status=row.status, visibility=row.visibility)


def _concerns(viewer: Caller, criteria: ImageWatchFilter) -> Callable[[Change], bool]:
    """A predicate for changes that the viewer may see, by its rights at that time, and that match the filter."""
    me, role = viewer.tenant_id, criteria.role

    def concerns(change: Change) -> bool:
        entry = change.entry
        if criteria.image_id is not None and entry.image_id != criteria.image_id:
            return False
        if entry.tenant_id == entry.owner_id:
            # The owner's entry for a change of the image itself, which operators also see.
            own = entry.owner_id == me
            return (own and role is not OfferRole.CONSUMER) or (viewer.is_operator and role is None)
        # An operator always has access to all images, so it neither gains nor loses any.
        if entry.tenant_id != me or role is OfferRole.PRODUCER or (viewer.is_operator and role is None):
            return False
        if entry.kind is None:
            return True
        return entry.kind in _AS_CONSUMER and entry.visibility is ImageVisibility.SHARED

    return concerns
