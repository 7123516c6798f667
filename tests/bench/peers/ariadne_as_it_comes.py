"""Ariadne as documented: resolvers bound to a schema in SDL, and aiodataloader."""

import sys
from pathlib import Path
from typing import Any

import uvicorn
from aiodataloader import DataLoader
from ariadne import MutationType, ObjectType, QueryType, ScalarType, make_executable_schema
from ariadne.asgi import GraphQL
from starlette.applications import Starlette
from starlette.routing import Route

from app import model
from tests.bench.peers.callers import caller
from tests.bench.peers.shown import cursor, end, moment
from tests.bench.peers.store import Seen, Store

query, mutation = QueryType(), MutationType()
image_type, member_type = ObjectType("Image"), ObjectType("Member")
date_time = ScalarType("DateTime", serializer=moment)


class Images(DataLoader[str, "Seen | None"]):
    def __init__(self, store: Store, me: str) -> None:
        super().__init__()
        self._store, self._me = store, me

    async def batch_load_fn(self, keys: list[str]) -> list[Seen | None]:
        return await self._store.images(self._me, keys)


class Members(DataLoader["tuple[str, int]", "list[model.Member]"]):
    def __init__(self, store: Store, me: str) -> None:
        super().__init__()
        self._store, self._me = store, me

    async def batch_load_fn(self, keys: list[tuple[str, int]]) -> list[list[model.Member]]:
        return await self._store.members(self._me, keys)


def _image_page(rows: list[Seen], first: int) -> dict[str, Any]:
    page = rows[:first]
    edges = [{"cursor": cursor(seen.image), "node": seen} for seen in page]
    return {
        "edges": edges,
        "page_info": {"has_next_page": len(rows) > first, "end_cursor": end([s.image for s in page])},
    }


def _member_page(rows: list[model.Member], first: int) -> dict[str, Any]:
    page = rows[:first]
    edges = [{"cursor": cursor(row), "node": row} for row in page]
    return {"edges": edges, "page_info": {"has_next_page": len(rows) > first, "end_cursor": end(page)}}


@query.field("image")
async def resolve_image(_: Any, info: Any, *, id: str) -> Seen | None:
    return await info.context["image"].load(id)


@query.field("images")
async def resolve_images(_: Any, info: Any, *, first: int) -> dict[str, Any]:
    return _image_page(await info.context["store"].listed(info.context["me"], first), first)


@query.field("offers")
async def resolve_offers(_: Any, info: Any, *, first: int) -> dict[str, Any]:
    return _member_page(await info.context["store"].offers(info.context["me"], first), first)


@mutation.field("offerImage")
async def resolve_offer_image(_: Any, info: Any, *, input: dict[str, Any]) -> Any:
    return await info.context["store"].offer(info.context["me"], input["image_id"], input["tenant_ids"])


@mutation.field("acceptOffer")
async def resolve_accept_offer(_: Any, info: Any, *, input: dict[str, Any]) -> dict[str, Any]:
    outcome = await info.context["store"].accept(info.context["me"], input["image_id"])
    return {"member": outcome.members[0] if outcome.members else None, "errors": outcome.errors}


for name, column in {
    "id": "id", "name": "name", "status": "status", "visibility": "visibility",
    "createdAt": "created_at", "updatedAt": "updated_at",
}.items():  # fmt: skip
    image_type.set_field(name, lambda seen, _, column=column: getattr(seen.image, column))


@image_type.field("owner")
def resolve_owner(seen: Seen, _: Any) -> dict[str, str] | None:
    return {"id": seen.image.owner_id} if seen.is_party else None


@image_type.field("members")
async def resolve_members(seen: Seen, info: Any, *, first: int) -> dict[str, Any]:
    return _member_page(await info.context["members"].load((seen.image.id, first)), first)


@member_type.field("tenant")
def resolve_tenant(member: model.Member, _: Any) -> dict[str, str]:
    return {"id": member.tenant_id}


@member_type.field("image")
async def resolve_image_of_member(member: model.Member, info: Any) -> Seen | None:
    return await info.context["image"].load(member.image_id)


def main(database: str, port: int) -> None:
    store = Store(database)
    words = (Path(__file__).parent / "schema.graphql").read_text()
    bound = (query, mutation, image_type, member_type, date_time)
    schema = make_executable_schema(words, *bound, convert_names_case=True)

    def context(request: Any, _: Any = None) -> dict[str, Any]:
        me = caller(request.headers["authorization"])
        return {"request": request, "me": me, "store": store, "image": Images(store, me), "members": Members(store, me)}

    endpoint = GraphQL(schema, context_value=context)
    app = Starlette(routes=[Route("/graphql", endpoint.handle_request, methods=["POST"])])
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
