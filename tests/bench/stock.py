"""The same events with unmodified Strawberry: one execution and one queue per subscriber, no store."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from uuid import uuid4

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL
from strawberry.schema.config import StrawberryConfig

from app.api.schema import SCALARS
from app.api.types.nodes import Tenant
from app.api.types.scalars import Cursor
from app.api.watch.items import ITEMS, MemberStatusChanged, WatchBookmark, WatchItem
from app.model import ChangeKind, MemberStatus

_queues: set[asyncio.Queue[WatchItem]] = set()


@strawberry.type
class Query:
    ready: bool = True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def watch_offers(self) -> AsyncGenerator[WatchItem]:
        queue: asyncio.Queue[WatchItem] = asyncio.Queue()
        _queues.add(queue)
        try:
            yield WatchBookmark(cursor=Cursor("x" * 64), at=datetime.now(UTC))
            while True:
                yield await queue.get()
        finally:
            _queues.discard(queue)


async def emit(request: Request) -> PlainTextResponse:
    for number in range(int(request.query_params["count"])):
        item = MemberStatusChanged(
            cursor=Cursor(f"{number:064}"),
            occurred_at=datetime.now(UTC),
            kind=ChangeKind.OFFERED,
            previous_status=None,
            status=MemberStatus.PENDING,
            member_id=strawberry.ID(str(uuid4())),
            image_id=strawberry.ID(str(uuid4())),
            owner=Tenant(id=strawberry.ID("1")),
            tenant=Tenant(id=strawberry.ID("2")),
            actor=Tenant(id=strawberry.ID("1")),
        )
        for queue in _queues:
            queue.put_nowait(item)
    return PlainTextResponse("done")


def main(port: int) -> None:
    schema = strawberry.Schema(
        Query, subscription=Subscription, types=ITEMS, config=StrawberryConfig(scalar_map=SCALARS)
    )
    endpoint = GraphQL(schema, subscription_protocols=["graphql-transport-ws"])
    app = Starlette(
        routes=[
            Route("/emit", emit, methods=["POST"]),
            Route("/graphql", endpoint),
            WebSocketRoute("/graphql", endpoint),
        ]
    )
    uvicorn.run(app, port=port, ws_per_message_deflate=False, access_log=False, log_level="warning", backlog=4096)


if __name__ == "__main__":
    main(int(sys.argv[1]))
