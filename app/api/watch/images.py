"""What `watchImages` tells: the changes of images, and of the caller's sight of them."""

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


# For the consumer the steps of its membership are those of its sight of the image.
_AS_CONSUMER = {
    ChangeKind.OFFERED: ImageChangeKind.ACCESS_GAINED,
    ChangeKind.REVOKED: ImageChangeKind.ACCESS_LOST,
    ChangeKind.IMAGE_DELETED: ImageChangeKind.DELETED,
}


def watch_of_images(viewer: Caller, wanted: ImageWatchFilter) -> Watch:
    wanted = replace(wanted, image_id=wanted.image_id and strawberry.ID(formats.as_stored(wanted.image_id)))
    role = None if wanted.role is None else wanted.role.name
    fingerprint = cursors.fingerprint("watchImages", role, wanted.image_id)
    return Watch(fingerprint, _concerns(viewer, wanted), _changed, _states(wanted), _state)


def _changed(cursor: Cursor, change: Change) -> WatchItem:
    news = change.entry
    kind = news.image_kind if news.kind is None else _AS_CONSUMER[news.kind]
    assert kind is not None
    previous = news.previous_image_status, news.previous_visibility
    now = news.image_status, news.visibility
    if news.kind is not None:
        previous, now = ((None, None), now) if kind is ImageChangeKind.ACCESS_GAINED else (now, (None, None))
    return ImageChanged(
        cursor=cursor,
        occurred_at=change.occurred_at,
        kind=kind,
        image_id=strawberry.ID(news.image_id),
        owner=Tenant(id=strawberry.ID(news.owner_id)),
        previous_status=previous[0],
        previous_visibility=previous[1],
        status=now[0],
        visibility=now[1],
    )


def _states(wanted: ImageWatchFilter) -> Any:
    """The images that the watch would tell of, as a query of the store."""
    return partial(
        images.watched,
        image_id=formats.id_or_none(wanted.image_id),
        as_producer=wanted.role is not OfferRole.CONSUMER,
        as_consumer=wanted.role is not OfferRole.PRODUCER,
    )


def _state(cursor: Cursor, row: SeenImage) -> WatchItem:
    return ImageState(cursor=cursor, image_id=strawberry.ID(row.id), status=row.status, visibility=row.visibility)


def _concerns(viewer: Caller, wanted: ImageWatchFilter) -> Callable[[Change], bool]:
    """Whether the viewer may hear of a change, by its rights at that place in the log, and asked for it."""
    me, role = viewer.tenant_id, wanted.role

    def concerns(change: Change) -> bool:
        news = change.entry
        if wanted.image_id is not None and news.image_id != wanted.image_id:
            return False
        if news.tenant_id == news.owner_id:
            # The owner's row of a change of the image itself, which operators hear of too.
            own = news.owner_id == me
            return (own and role is not OfferRole.CONSUMER) or (viewer.is_operator and role is None)
        # An operator sees images all the time: it gains and loses none.
        if news.tenant_id != me or role is OfferRole.PRODUCER or (viewer.is_operator and role is None):
            return False
        if news.kind is None:
            return True
        return news.kind in _AS_CONSUMER and news.visibility is ImageVisibility.SHARED

    return concerns
