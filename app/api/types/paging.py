"""Connections: the Relay shape over keyset pages, with `nodes`, and a `totalCount` that is computed on request."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

import strawberry

from app.api.operation.context import Info
from app.api.types.scalars import Cursor
from app.errors import BadUserInput, CursorInvalid
from app.model import SeenImage, SeenMember
from app.sharing import formats
from app.store.pages import DEFAULT_PAGE, MAX_PAGE, Page, PageRequest, Position

MAX_CURSOR = 200

Node = TypeVar("Node")
SeenRow = TypeVar("SeenRow", SeenImage, SeenMember)

First = Annotated[
    int | None,
    strawberry.argument(
        description=f"Page size from the start of the list, 1 to {MAX_PAGE}; {DEFAULT_PAGE} if neither `first` nor "
        "`last` is given. Other values are refused with BAD_USER_INPUT."
    ),
]
Last = Annotated[
    int | None,
    strawberry.argument(
        description=f"Page size from the end of the list, 1 to {MAX_PAGE}. Can't be combined with "
        "`first` (BAD_USER_INPUT)."
    ),
]
After = Annotated[
    str | None,
    strawberry.argument(
        description="Only what follows this cursor of an edge; after the last edge the page is empty. A string that "
        "is not such a cursor is refused with CURSOR_INVALID."
    ),
]
Before = Annotated[
    str | None,
    strawberry.argument(description="Only what precedes this cursor of an edge, with the same errors as `after`."),
]


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether the list continues after this page.")
    has_previous_page: bool = strawberry.field(
        description="Whether the list has something before this page. Exact when paging with `last`; otherwise true "
        "if `after` was given."
    )
    start_cursor: str | None = strawberry.field(description="Cursor of the first edge; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last edge; null on an empty page.")


@strawberry.type(description="One entry of a list, with its cursor.")
class Edge(Generic[Node]):
    cursor: str = strawberry.field(
        description="The position of this entry, for `after` and `before` of the same list. It never expires, and "
        "watches don't accept it."
    )
    node: Node = strawberry.field(description="The object.")


@strawberry.type(description="One page of a list, newest first. New entries don't shift the pages.")
class Connection(Generic[Node]):
    edges: list[Edge[Node]] = strawberry.field(description="The objects of the page, each with its cursor.")
    nodes: list[Node] = strawberry.field(description="The objects of the page.")
    page_info: PageInfo = strawberry.field(description="The position of the page in its list.")
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(
        description="The position of the log when the page was read. A watch that starts after it delivers every "
        "change that the page does not include yet."
    )
    async def watch_cursor(self, info: Info) -> Cursor:
        return Cursor(await info.context.load.watch_cursor.load(None))

    @strawberry.field(
        description="The number of entries of the list that the caller may see, over all pages. It "
        "takes a query of its own."
    )
    async def total_count(self) -> int:
        return await self.count()


def page_request(first: int | None, last: int | None, after: str | None, before: str | None) -> PageRequest:
    """The page that the arguments of a connection request."""
    if first is not None and last is not None:
        raise BadUserInput("Give `first` or `last`, not both.")
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 1 <= size <= MAX_PAGE:
            raise BadUserInput(f"`{name}` must be 1 to {MAX_PAGE}, and {size} was given.")
    if first is None and last is None:
        first = DEFAULT_PAGE
    return PageRequest(first, last, _position(after), _position(before))


def connection(
    page: Page[SeenRow], make: Callable[[SeenRow], Node], count: Callable[[], Awaitable[int]]
) -> Connection[Node]:
    """Convert a page of rows to a connection."""
    edges = [Edge(cursor=_cursor(row), node=make(row)) for row in page.rows]
    return Connection(
        edges=edges,
        nodes=[edge.node for edge in edges],
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        count=count,
    )


def _cursor(row: SeenImage | SeenMember) -> str:
    text = f"{row.created_at.astimezone(UTC).isoformat(timespec='microseconds')} {row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _position(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        created_at, id_ = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").split(" ")
        if (known := formats.uuid(id_)) is None:
            raise ValueError
        return Position(datetime.fromisoformat(created_at).astimezone(UTC), known)
    except (binascii.Error, ValueError, OverflowError):
        raise CursorInvalid("This is not a cursor of a list of this gateway. Start without it.") from None
