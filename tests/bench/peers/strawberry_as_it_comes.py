"""Strawberry as documented: resolvers, DataLoaders, its own view, SQLModel's AsyncSession."""

import sys
from datetime import datetime
from typing import Any, Generic, TypeVar

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.schema.config import StrawberryConfig

from app import model
from app.errors import UserErrorCode
from app.model import ImageStatus, ImageVisibility, MemberStatus
from tests.bench.peers.callers import caller
from tests.bench.peers.shown import cursor, end, moment
from tests.bench.peers.store import Error, Seen, Store

Node = TypeVar("Node")
for words in (MemberStatus, ImageStatus, ImageVisibility, UserErrorCode):
    strawberry.enum(words)


class Context:
    """The caller and the loaders of one request."""

    def __init__(self, store: Store, me: str) -> None:
        self.store, self.me = store, me
        self.image: DataLoader[str, Seen | None] = DataLoader(lambda ids: store.images(me, ids))
        self.members: DataLoader[tuple[str, int], list[model.Member]] = DataLoader(lambda keys: store.members(me, keys))


Info = strawberry.Info[Any, Any]


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Edge(Generic[Node]):
    cursor: str
    node: Node


@strawberry.type
class Connection(Generic[Node]):
    edges: list[Edge[Node]]
    page_info: PageInfo


@strawberry.type
class Tenant:
    id: strawberry.ID


@strawberry.type
class Image:
    id: strawberry.ID
    name: str
    owner: Tenant | None
    status: ImageStatus
    visibility: ImageVisibility
    created_at: datetime
    updated_at: datetime

    @strawberry.field
    async def members(self, info: Info, first: int = 20) -> Connection["Member"]:
        return _members(await info.context.members.load((self.id, first)), first)

    @classmethod
    def of(cls, seen: Seen) -> "Image":
        image = seen.image
        return cls(
            id=strawberry.ID(image.id),
            name=image.name,
            owner=Tenant(id=strawberry.ID(image.owner_id)) if seen.is_party else None,
            status=image.status,
            visibility=image.visibility,
            created_at=image.created_at,
            updated_at=image.updated_at,
        )


@strawberry.type
class Member:
    id: strawberry.ID
    tenant: Tenant
    status: MemberStatus
    created_at: datetime
    updated_at: datetime
    image_id: strawberry.Private[str]

    @strawberry.field
    async def image(self, info: Info) -> Image:
        return Image.of(await info.context.image.load(self.image_id))

    @classmethod
    def of(cls, row: model.Member) -> "Member":
        return cls(
            id=strawberry.ID(row.id),
            tenant=Tenant(id=strawberry.ID(row.tenant_id)),
            status=row.status,
            created_at=row.created_at,
            updated_at=row.updated_at,
            image_id=row.image_id,
        )


def _members(rows: list[model.Member], first: int) -> Connection[Member]:
    page = rows[:first]
    edges = [Edge(cursor=cursor(row), node=Member.of(row)) for row in page]
    return Connection(edges=edges, page_info=PageInfo(has_next_page=len(rows) > first, end_cursor=end(page)))


@strawberry.type
class UserError:
    code: UserErrorCode
    message: str
    tenant_id: strawberry.ID | None

    @classmethod
    def of(cls, error: Error) -> "UserError":
        tenant_id = None if error.tenant_id is None else strawberry.ID(error.tenant_id)
        return cls(code=UserErrorCode(error.code), message=error.message, tenant_id=tenant_id)


@strawberry.input
class OfferImageInput:
    image_id: strawberry.ID
    tenant_ids: list[strawberry.ID]


@strawberry.input
class AcceptOfferInput:
    image_id: strawberry.ID


@strawberry.type
class OfferImagePayload:
    members: list[Member]
    errors: list[UserError]


@strawberry.type
class AcceptOfferPayload:
    member: Member | None
    errors: list[UserError]


@strawberry.type
class Query:
    @strawberry.field
    async def image(self, info: Info, id: strawberry.ID) -> Image | None:
        seen = await info.context.image.load(id)
        return None if seen is None else Image.of(seen)

    @strawberry.field
    async def images(self, info: Info, first: int = 20) -> Connection[Image]:
        rows = await info.context.store.listed(info.context.me, first)
        page = rows[:first]
        edges = [Edge(cursor=cursor(seen.image), node=Image.of(seen)) for seen in page]
        more = len(rows) > first
        return Connection(
            edges=edges, page_info=PageInfo(has_next_page=more, end_cursor=end([seen.image for seen in page]))
        )

    @strawberry.field
    async def offers(self, info: Info, first: int = 20) -> Connection[Member]:
        return _members(await info.context.store.offers(info.context.me, first), first)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def offer_image(self, info: Info, input: OfferImageInput) -> OfferImagePayload:
        outcome = await info.context.store.offer(info.context.me, input.image_id, input.tenant_ids)
        members, errors = [*map(Member.of, outcome.members)], [*map(UserError.of, outcome.errors)]
        return OfferImagePayload(members=members, errors=errors)

    @strawberry.mutation
    async def accept_offer(self, info: Info, input: AcceptOfferInput) -> AcceptOfferPayload:
        outcome = await info.context.store.accept(info.context.me, input.image_id)
        member = Member.of(outcome.members[0]) if outcome.members else None
        return AcceptOfferPayload(member=member, errors=[*map(UserError.of, outcome.errors)])


class View(GraphQL[Context, None]):
    """Strawberry's view, with the context of this peer."""

    store: Store

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        return Context(self.store, caller(request.headers["authorization"]))


def main(database: str, port: int) -> None:
    scalars: dict[object, Any] = {datetime: strawberry.scalar(name="DateTime", serialize=moment)}
    view = View(strawberry.Schema(Query, Mutation, config=StrawberryConfig(scalar_map=scalars)))
    view.store = Store(database)
    app = Starlette(routes=[Route("/graphql", view)])
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
