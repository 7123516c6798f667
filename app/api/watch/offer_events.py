"""`offerEvents`: the changes of `watchOffers` in pages, for clients that poll."""

from typing import Annotated

import strawberry

from app.api.operation.context import Info
from app.api.types.paging import PageInfo
from app.api.types.scalars import Cursor
from app.api.watch.items import MemberStatusChanged
from app.api.watch.offers import OfferWatchFilter, status_change, watch_of_offers
from app.api.watch.run import Watch
from app.errors import BadUserInput, CursorExpired
from app.model import Change
from app.store import log
from app.store.pages import MAX_PAGE

READ_AT_ONCE = 1_000
READ_AT_MOST = 10_000


@strawberry.type(description="One entry of the log, with its cursor.")
class OfferEventEdge:
    cursor: Cursor = strawberry.field(
        description="The position of this entry, for `after` here and in `watchOffers` with the same filter."
    )
    node: MemberStatusChanged = strawberry.field(description="The change.")


@strawberry.type(description="One page of the log, oldest first.")
class OfferEventConnection:
    edges: list[OfferEventEdge] = strawberry.field(description="The changes of the page, each with its cursor.")
    nodes: list[MemberStatusChanged] = strawberry.field(description="The changes of the page.")
    page_info: PageInfo = strawberry.field(
        description="`hasNextPage` says whether another page is available now. `endCursor` is where to continue in "
        "any case: even on an empty page it says how far the log was read."
    )


@strawberry.type
class OfferEventQueries:
    @strawberry.field(
        description="The changes that `watchOffers` delivers, as pages, oldest first: the log of the memberships to "
        "which the caller is a party. A cursor to which the log no longer reaches back, or of a log that was "
        "replaced, is refused with CURSOR_EXPIRED."
    )
    async def offer_events(
        self,
        info: Info,
        after: Annotated[
            Cursor | None,
            strawberry.argument(
                description="Only what follows this cursor, from a page or a watch with the same filter, or a "
                "`watchCursor`. Null starts at the oldest change in the log."
            ),
        ] = None,
        first: Annotated[
            int,
            strawberry.argument(
                description=f"Page size, 1 to {MAX_PAGE}. Other values are refused with BAD_USER_INPUT."
            ),
        ] = MAX_PAGE,
        filter: Annotated[
            OfferWatchFilter | None, strawberry.argument(description="Which changes to return; null for all.")
        ] = None,
    ) -> OfferEventConnection:
        if not 1 <= first <= MAX_PAGE:
            raise BadUserInput(f"`first` must be 1 to {MAX_PAGE}, and {first} was given.")
        watch = watch_of_offers(info.context.caller, filter or OfferWatchFilter())
        position = await _start(info, watch, after)
        found, reached, more = await _read(info, watch, position, first)
        return _connection(info, watch, found, reached, more, after)


async def _start(info: Info, watch: Watch, after: Cursor | None) -> int:
    context, feed = info.context, info.context.services.feed
    head = await context.log_head()
    if after is None:
        return head.floor
    mark = feed.seal.open(after, context.caller, watch.fingerprint)
    gap = feed.gap(mark, head, context.caller)
    if gap is not None:
        oldest = feed.seal.close_between(head.floor, context.caller, watch.fingerprint)
        raise CursorExpired(f"The log can't be read on from this cursor: {gap}.", oldestCursor=oldest)
    return mark.seq


async def _read(info: Info, watch: Watch, position: int, first: int) -> tuple[list[Change], int, bool]:
    """The changes of the page, the position up to which the log was read, and whether there may be more."""
    found: list[Change] = []
    for _ in range(READ_AT_MOST // READ_AT_ONCE):
        head, changes = await info.context.read(log.read_concerning, position, READ_AT_ONCE)
        for change in filter(watch.concerns, changes):
            if len(found) == first:
                return found, found[-1].seq, True
            found.append(change)
        if len(changes) < READ_AT_ONCE:
            return found, head.seq, False
        position = changes[-1].seq
    return found, position, True


def _connection(
    info: Info, watch: Watch, found: list[Change], reached: int, more: bool, after: Cursor | None
) -> OfferEventConnection:
    seal, viewer = info.context.services.feed.seal, info.context.caller
    nodes = [status_change(Cursor(seal.close(change.seq, viewer, watch.fingerprint)), change) for change in found]
    at_last_node = bool(found) and found[-1].seq == reached
    end = nodes[-1].cursor if at_last_node else Cursor(seal.close_between(reached, viewer, watch.fingerprint))
    return OfferEventConnection(
        edges=[OfferEventEdge(cursor=node.cursor, node=node) for node in nodes],
        nodes=nodes,
        page_info=PageInfo(
            has_next_page=more,
            has_previous_page=after is not None,
            start_cursor=nodes[0].cursor if nodes else None,
            end_cursor=end,
        ),
    )
