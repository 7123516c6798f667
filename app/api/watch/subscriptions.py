"""The watches: the committed log, as one viewer may see it, over a subscription."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from app.api.operation.context import Info
from app.api.types.scalars import Cursor
from app.api.watch.images import ImageWatchFilter, watch_of_images
from app.api.watch.items import WatchItem
from app.api.watch.offers import OfferWatchFilter, watch_of_offers
from app.api.watch.run import GapPolicy, Manner, Watching, WatchInitial

After = Annotated[
    Cursor | None,
    strawberry.argument(
        description="Go on after this cursor: of an earlier item of a watch with the same filter, or a `watchCursor`. "
        "One that was changed, or is of another viewer or filter, is refused with CURSOR_INVALID."
    ),
]
Initial = Annotated[WatchInitial, strawberry.argument(description="What to begin with when there is no `after`.")]
OnGap = Annotated[
    GapPolicy,
    strawberry.argument(
        description="What to do when the log does not reach back to the cursor, was replaced, or the caller's rights "
        "have changed."
    ),
]
Bookmarks = Annotated[
    bool,
    strawberry.argument(
        description="Whether to break each silence with a `WatchBookmark`. The first one of a live watch comes in any "
        "case."
    ),
]
_PROMISE = (
    "in commit order, each once; resumable from any cursor at any server, also after a restart. A gap is always said. "
)


@strawberry.type(description="What the caller may see, change by change.")
class Subscription:
    @strawberry.subscription(
        description=f"Every change of the memberships that the caller is a party to, {_PROMISE}"
        "Operators hear of all memberships. That an image goes PRIVATE, which makes its memberships inert, or is "
        "SHARED again changes no membership: `watchImages` tells it."
    )
    async def watch_offers(
        self,
        info: Info,
        after: After = None,
        filter: Annotated[
            OfferWatchFilter | None, strawberry.argument(description="Which changes to hear of; null for all.")
        ] = None,
        initial: Initial = WatchInitial.CHANGES,
        on_gap: OnGap = GapPolicy.RESET,
        bookmarks: Bookmarks = True,
    ) -> AsyncGenerator[WatchItem, None]:
        watch = watch_of_offers(info.context.caller, filter or OfferWatchFilter())
        return await Watching(info.context, watch, Manner(after, initial, on_gap, bookmarks)).start()

    @strawberry.subscription(
        description=f"Status, visibility and end of the caller's own images and of those shared to it, {_PROMISE}"
        "An image that is offered, or SHARED again, is gained; one that is revoked, or goes from SHARED to PRIVATE, is "
        "lost. Operators hear of all images."
    )
    async def watch_images(
        self,
        info: Info,
        after: After = None,
        filter: Annotated[
            ImageWatchFilter | None, strawberry.argument(description="Which images to hear of; null for all.")
        ] = None,
        initial: Initial = WatchInitial.CHANGES,
        on_gap: OnGap = GapPolicy.RESET,
        bookmarks: Bookmarks = True,
    ) -> AsyncGenerator[WatchItem, None]:
        watch = watch_of_images(info.context.caller, filter or ImageWatchFilter())
        return await Watching(info.context, watch, Manner(after, initial, on_gap, bookmarks)).start()
