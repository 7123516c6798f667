"""What a caller may not see costs what does not exist costs: at every entry that takes an ID, on either way."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.api.plan.planner import Planner
from app.model import Caller
from app.store import images, members, named
from app.store.database import Store
from app.store.members import MemberFilter
from app.store.plan.reader import open_reader
from app.store.rights import IMAGE, MEMBER
from app.store.snapshot import read_once
from tests.harness import operations
from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, Tenant, settings_for, start_gateway
from tests.harness.work import TABLES, Sent, record_reads, vacuum, work_of
from tests.harness.world import World, fresh_id, make_world

CURSOR = "MjAyNi0wMS0wMVQwMDowMDowMC4wMDAwMDArMDA6MDAgMDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAw"
QUERIES = {
    "image": "query($id: ID!) { image(id: $id) { id name owner { id } members { totalCount } } }",
    "node": "query($id: ID!) { node(id: $id) { id ... on Image { name } ... on Member { status } } }",
    "nodes": "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Image { name } ... on Member { status } } }",
    "offers": "query($id: ID!) { offers(imageId: $id, status: null) { totalCount nodes { id } } }",
    "pending offers": "query($id: ID!) { offers(imageId: $id) { nodes { id } pageInfo { hasNextPage } } }",
    "offers after": f'query($id: ID!) {{ offers(imageId: $id, status: null, after: "{CURSOR}") {{ nodes {{ id }} }} }}',
    "sentOffers": "query($id: ID!) { sentOffers(imageId: $id) { totalCount nodes { id } } }",
    "accepted sentOffers": "query($id: ID!) { sentOffers(imageId: $id, status: [ACCEPTED]) { nodes { id } } }",
}
ACTS: dict[str, dict[str, Any]] = {
    "updateImage": {"id": "@", "name": "x"},
    "deleteImage": {"id": "@"},
    "offerImage": {"imageId": "@", "tenantIds": ["5"]},
    "acceptOffer": {"imageId": "@"},
    "rejectOffer": {"imageId": "@"},
    "deferOffer": {"imageId": "@"},
    "revokeMember": {"imageId": "@", "tenantId": "5"},
}
SIDES = [(True, True), (True, False), (False, True)]


class Unseen(NamedTuple):
    """A viewer, and for every reason there is an image, or a member row, that it may not know of."""

    gateway: Gateway
    planner: Planner
    viewer: Tenant
    images: dict[str, str]
    members: dict[str, str]
    shared: World

    @property
    def caller(self) -> Caller:
        assert self.viewer.caller is not None
        return self.viewer.caller

    @property
    def store(self) -> Store:
        return self.gateway.services.store


@pytest.fixture(scope="module")
async def unseen(databases: Databases) -> AsyncGenerator[Unseen]:
    async with start_gateway(settings_for(databases.fresh())) as gateway:
        reader = open_reader(gateway.services.store)
        shared = await make_world(gateway, "accepted")
        viewer = shared.consumer
        for _ in range(2):
            await viewer.offer(await viewer.register(), shared.owner.id)
        seen_by_none, seen_by_others = await _images(gateway, viewer), await _members(gateway, viewer)
        await _add_ends(gateway.services.store)
        await vacuum(gateway.services.store)
        planner = Planner(gateway.schema.documents, gateway.services, reader)
        yield Unseen(gateway, planner, viewer, seen_by_none, seen_by_others, shared)
        await reader.close()


async def _images(gateway: Gateway, viewer: Tenant) -> dict[str, str]:
    foreign, full, revoked, inert = [await make_world(gateway, "none") for _ in range(4)]
    await full.owner.offer(full.image, *(fresh_id() for _ in range(5)))
    for world in (revoked, inert):
        await world.owner.offer(world.image, viewer.id)
        await viewer.accept(world.image)
    await revoked.owner.revoke(revoked.image, viewer.id)
    await inert.owner.update(inert.image, visibility="PRIVATE")
    tenant = gateway.tenant(str(uuid4()))
    await tenant.offer(await tenant.register(), viewer.id)
    return {
        "of a tenant": tenant.id,
        "unknown": _neighbour(str(uuid4())),
        "private": await foreign.owner.register(visibility="PRIVATE"),
        "shared to others": foreign.image,
        "shared to many": full.image,
        "revoked": revoked.image,
        "inert": inert.image,
    }


async def _members(gateway: Gateway, viewer: Tenant) -> dict[str, str]:
    foreign, inert = await make_world(gateway, "accepted"), await make_world(gateway, "none")
    row = (await inert.owner.offer(inert.image, viewer.id))["members"][0]["id"]
    await inert.owner.update(inert.image, visibility="PRIVATE")
    return {"of others": foreign.consumer_row, "inert": row}


def _neighbour(id: str) -> str:
    """An ID that nothing has, and from which that row is the next one towards the middle."""
    number = UUID(id).int
    return str(UUID(int=number - 1 if id < "8" else number + 1))


async def _add_ends(store: Store) -> None:
    """Rows at either end, as there are in every store that is not almost empty."""
    kept = {"id", "image_id"}
    for table, columns in (("image", list(IMAGE.c.keys())), ("member", list(MEMBER.c.keys()))):
        for end in ("00000000-0000-4000-8000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff"):
            values = ", ".join(":end" if name in kept else name for name in columns)
            names = ", ".join(columns)
            async with store.transaction() as tx:
                insert = f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} LIMIT 1"
                await tx.conn.execute(text(insert), {"end": end})


@pytest.mark.parametrize("name", QUERIES)
async def test_a_planned_query_works_as_long_for_an_image_that_is_unseen_as_for_none(unseen: Unseen, name: str) -> None:
    await _alike(unseen, unseen.images, lambda id: _planned(unseen, QUERIES[name], id))


@pytest.mark.parametrize("name", ["node", "nodes"])
async def test_a_planned_query_works_as_long_for_a_member_that_is_unseen_as_for_none(unseen: Unseen, name: str) -> None:
    await _alike(unseen, unseen.members, lambda id: _planned(unseen, QUERIES[name], id))


@pytest.mark.parametrize("name", QUERIES)
async def test_the_long_way_works_as_long_for_an_image_that_is_unseen_as_for_none(unseen: Unseen, name: str) -> None:
    await _alike(unseen, unseen.images, lambda id: _statements_of(unseen, QUERIES[name], _variables(QUERIES[name], id)))


@pytest.mark.parametrize("name", ["node", "nodes"])
async def test_the_long_way_works_as_long_for_a_member_that_is_unseen_as_for_none(unseen: Unseen, name: str) -> None:
    await _alike(
        unseen, unseen.members, lambda id: _statements_of(unseen, QUERIES[name], _variables(QUERIES[name], id))
    )


@pytest.mark.parametrize("name", ACTS)
async def test_a_mutation_works_as_long_for_an_image_that_is_unseen_as_for_none(unseen: Unseen, name: str) -> None:
    operation = operations.MUTATIONS[name]

    await _alike(unseen, unseen.images, lambda id: _statements_of(unseen, operation, {"input": _input(name, id)}))


@pytest.mark.parametrize(("as_producer", "as_consumer"), SIDES)
async def test_a_watch_of_an_image_that_is_unseen_begins_as_one_of_none(
    unseen: Unseen, as_producer: bool, as_consumer: bool
) -> None:
    async def began(id: str) -> list[Sent]:
        sides: Any = {"as_producer": as_producer, "as_consumer": as_consumer}
        with record_reads(unseen.store) as sent:
            await read_once(unseen.store, images.read_watched, unseen.caller, 9, image_id=id, **sides)
            wanted = MemberFilter(image_id=id)
            await read_once(unseen.store, members.read_watched, unseen.caller, 9, row_filter=wanted, **sides)
        return sent

    await _alike(unseen, unseen.images, began)


async def test_revoking_the_member_of_another_takes_a_consumer_the_work_of_revoking_nobody(unseen: Unseen) -> None:
    taken = unseen.shared.other.id
    work: list[list[int]] = []
    for tenant in (taken, str(int(taken) + 9_000_000)):
        input = {"imageId": unseen.shared.image, "tenantId": tenant}
        work.append(
            _work_of(unseen, await _statements_of(unseen, operations.MUTATIONS["revokeMember"], {"input": input}))
        )

    assert work[0] == work[1] != []


@pytest.mark.parametrize("name", ["image", "node", "nodes"])
async def test_a_lookup_that_stops_where_nothing_is_found_would_be_noticed(
    unseen: Unseen, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "is_beside", lambda table, id: table.c.id == id)
    reader = open_reader(unseen.store)
    faulty = unseen._replace(planner=Planner(unseen.gateway.schema.documents, unseen.gateway.services, reader))

    with pytest.raises(AssertionError):
        await _alike(unseen, unseen.images, lambda id: _planned(faulty, QUERIES[name], id))
    await reader.close()


async def _alike(unseen: Unseen, ids: dict[str, str], ask: Callable[[str], Awaitable[list[Sent]]]) -> None:
    """The work for each ID is that for the ID beside it, which nothing has."""
    found = {why: [_work_of(unseen, await ask(one)) for one in (id, _neighbour(id))] for why, id in ids.items()}

    assert all(there for there, _ in found.values())
    # The viewer's own row on an image that is not shared at present is found: a few instructions, or a buffer.
    own_row = found.pop("inert")
    assert all(abs(there - absent) <= 3 for there, absent in zip(*own_row, strict=True)), own_row
    assert {why: there for why, (there, _) in found.items()} == {why: absent for why, (_, absent) in found.items()}


async def _planned(unseen: Unseen, query: str, id: str) -> list[Sent]:
    ready = unseen.planner.bind(query, None, _variables(query, id), unseen.caller)
    assert ready is not None
    return [(ready.statement.sql, ready.values)]


async def _statements_of(unseen: Unseen, operation: str, variables: dict[str, Any]) -> list[Sent]:
    with record_reads(unseen.store) as sent:
        await unseen.viewer.execute(operation, **variables)
    return sent


def _variables(query: str, id: str) -> dict[str, Any]:
    return {"ids": [id]} if "$ids" in query else {"id": id}


def _input(act: str, id: str) -> dict[str, Any]:
    return json.loads(json.dumps(ACTS[act]).replace("@", id))


def _work_of(unseen: Unseen, sent: list[Sent]) -> list[int]:
    """The work of the operation's own statements, without those of the tailer and of upkeep."""
    ours = [one for one in sent if "event" not in one[0] and any(table in one[0] for table in TABLES)]
    return work_of(unseen.store, ours)
