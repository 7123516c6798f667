"""The subscriptions, which deliver the entries of the log that the caller may see."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from app.api.operation.context import Info
from app.api.types.scalars import Cursor
from app.api.watch.images import ImageWatchFilter, watch_of_images
from app.api.watch.items import WatchItem
from app.api.watch.offers import OfferWatchFilter, watch_of_offers
from app.api.watch.run import GapPolicy, WatchInitial, WatchOptions, WatchRun

After = Annotated[
    Cursor | None,
    strawberry.argument(
        description="Resume after this cursor, from an earlier item of a watch with the same filter, or a "
        "`watchCursor`. A cursor that was altered, or issued for another tenant or filter, is refused with "
        "CURSOR_INVALID."
    ),
]
Initial = Annotated[WatchInitial, strawberry.argument(description="How to start when there is no `after`.")]
OnGap = Annotated[
    GapPolicy,
    strawberry.argument(
        description="What to do when the log no longer reaches back to the cursor or was replaced, or the caller's "
        "rights have changed."
    ),
]
Bookmarks = Annotated[
    bool,
    strawberry.argument(
        description="Whether to deliver a `WatchBookmark` when there has been no change for a while. The first one of "
        "a live watch is always delivered."
    ),
]
_PROMISE = (
    "in commit order, each exactly once. It can be resumed from any cursor on any server, even after a restart, and "
    "gaps are always reported. "
)


@strawberry.type(description="Streams of changes that the caller may see.")
class Subscription:
    @strawberry.subscription(
        description=f"Every change of the memberships to which the caller is a party, {_PROMISE}Operators receive the "
        "changes of all memberships. When an image becomes PRIVATE or SHARED again, no membership changes, although "
        "they become inert or take effect again; `watchImages` delivers such changes."
    )
    async def watch_offers(
        self,
        info: Info,
        after: After = None,
        filter: Annotated[
            OfferWatchFilter | None, strawberry.argument(description="Which changes to deliver; null for all.")
        ] = None,
        initial: Initial = WatchInitial.CHANGES,
        on_gap: OnGap = GapPolicy.RESET,
        bookmarks: Bookmarks = True,
    ) -> AsyncGenerator[WatchItem, None]:
        watch = watch_of_offers(info.context.caller, filter or OfferWatchFilter())
        return await WatchRun(info.context, watch, WatchOptions(after, initial, on_gap, bookmarks)).start()

    @strawberry.subscription(
        description="Changes of status and visibility, and deletion, of the caller's own images and of those shared "
        f"to it, {_PROMISE}The caller gains an image that is offered or becomes SHARED again, and loses one that is "
        "revoked or becomes PRIVATE. Operators receive the changes of all images."
    )
    async def watch_images(
        self,
        info: Info,
        after: After = None,
        filter: Annotated[
            ImageWatchFilter | None, strawberry.argument(description="Which images to watch; null for all.")
        ] = None,
        initial: Initial = WatchInitial.CHANGES,
        on_gap: OnGap = GapPolicy.RESET,
        bookmarks: Bookmarks = True,
    ) -> AsyncGenerator[WatchItem, None]:
        watch = watch_of_images(info.context.caller, filter or ImageWatchFilter())
        return await WatchRun(info.context, watch, WatchOptions(after, initial, on_gap, bookmarks)).start()
