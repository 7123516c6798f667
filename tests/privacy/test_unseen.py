"""Unseen objects take as much work as nonexistent ones, for every argument that is an ID, with and without a plan."""

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
from tests.harness.scenario import Scenario, fresh_id, make_scenario
from tests.harness.statement_work import TABLES, Sent, record_reads, vacuum, work_of

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


class UnseenObjects(NamedTuple):
    """A viewer, and an image or a member row that it may not know of for every reason."""

    gateway: Gateway
    planner: Planner
    viewer: Tenant
    images: dict[str, str]
    members: dict[str, str]
    shared: Scenario

    @property
    def caller(self) -> Caller:
        assert self.viewer.caller is not None
        return self.viewer.caller

    @property
    def store(self) -> Store:
        return self.gateway.services.store


@pytest.fixture(scope="module")
async def unseen(databases: Databases) -> AsyncGenerator[UnseenObjects]:
    async with start_gateway(settings_for(databases.fresh())) as gateway:
        reader = open_reader(gateway.services.store)
        shared = await make_scenario(gateway, "accepted")
        viewer = shared.consumer
        for _ in range(2):
            await viewer.offer(await viewer.register(), shared.owner.id)
        seen_by_none, seen_by_others = await _images(gateway, viewer), await _members(gateway, viewer)
        await _add_ends(gateway.services.store)
        await vacuum(gateway.services.store)
        planner = Planner(gateway.schema.documents, gateway.services, reader)
        yield UnseenObjects(gateway, planner, viewer, seen_by_none, seen_by_others, shared)
        await reader.close()


async def _images(gateway: Gateway, viewer: Tenant) -> dict[str, str]:
    foreign, full, revoked, inert = [await make_scenario(gateway, "none") for _ in range(4)]
    await full.owner.offer(full.image, *(fresh_id() for _ in range(5)))
    for scenario in (revoked, inert):
        await scenario.owner.offer(scenario.image, viewer.id)
        await viewer.accept(scenario.image)
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
    foreign, inert = await make_scenario(gateway, "accepted"), await make_scenario(gateway, "none")
    row = (await inert.owner.offer(inert.image, viewer.id))["members"][0]["id"]
    await inert.owner.update(inert.image, visibility="PRIVATE")
    return {"of others": foreign.consumer_row, "inert": row}


def _neighbour(id: str) -> str:
    """An unused ID next to this one."""
    number = UUID(id).int
    return str(UUID(int=number - 1 if id < "8" else number + 1))


async def _add_ends(store: Store) -> None:
    """Add rows at either end, as in every store that is not almost empty."""
    kept = {"id", "image_id"}
    for table, columns in (("image", list(IMAGE.c.keys())), ("member", list(MEMBER.c.keys()))):
        for end in ("00000000-0000-4000-8000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff"):
            values = ", ".join(":end" if name in kept else name for name in columns)
            names = ", ".join(columns)
            async with store.transaction() as tx:
                insert = f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} LIMIT 1"
                await tx.conn.execute(text(insert), {"end": end})


@pytest.mark.parametrize("name", QUERIES)
async def test_a_planned_query_takes_as_much_work_for_an_unseen_image_as_for_none(
    unseen: UnseenObjects, name: str
) -> None:
    await _alike(unseen, unseen.images, lambda id: _planned(unseen, QUERIES[name], id))


@pytest.mark.parametrize("name", ["node", "nodes"])
async def test_a_planned_query_takes_as_much_work_for_an_unseen_member_as_for_none(
    unseen: UnseenObjects, name: str
) -> None:
    await _alike(unseen, unseen.members, lambda id: _planned(unseen, QUERIES[name], id))


@pytest.mark.parametrize("name", QUERIES)
async def test_an_unplanned_query_takes_as_much_work_for_an_unseen_image_as_for_none(
    unseen: UnseenObjects, name: str
) -> None:
    await _alike(unseen, unseen.images, lambda id: _statements_of(unseen, QUERIES[name], _variables(QUERIES[name], id)))


@pytest.mark.parametrize("name", ["node", "nodes"])
async def test_an_unplanned_query_takes_as_much_work_for_an_unseen_member_as_for_none(
    unseen: UnseenObjects, name: str
) -> None:
    await _alike(
        unseen, unseen.members, lambda id: _statements_of(unseen, QUERIES[name], _variables(QUERIES[name], id))
    )


@pytest.mark.parametrize("name", ACTS)
async def test_a_mutation_takes_as_much_work_for_an_unseen_image_as_for_none(unseen: UnseenObjects, name: str) -> None:
    operation = operations.MUTATIONS[name]

    await _alike(unseen, unseen.images, lambda id: _statements_of(unseen, operation, {"input": _input(name, id)}))


@pytest.mark.parametrize(("as_producer", "as_consumer"), SIDES)
async def test_a_watch_of_an_unseen_image_starts_like_one_of_none(
    unseen: UnseenObjects, as_producer: bool, as_consumer: bool
) -> None:
    async def began(id: str) -> list[Sent]:
        sides: Any = {"as_producer": as_producer, "as_consumer": as_consumer}
        with record_reads(unseen.store) as sent:
            await read_once(unseen.store, images.read_watched, unseen.caller, 9, image_id=id, **sides)
            filter_ = MemberFilter(image_id=id)
            await read_once(unseen.store, members.read_watched, unseen.caller, 9, row_filter=filter_, **sides)
        return sent

    await _alike(unseen, unseen.images, began)


async def test_revoking_anothers_member_takes_as_much_work_as_revoking_nobody(
    unseen: UnseenObjects,
) -> None:
    taken = unseen.shared.other.id
    work: list[list[int]] = []
    for tenant in (taken, str(int(taken) + 9_000_000)):
        input = {"imageId": unseen.shared.image, "tenantId": tenant}
        work.append(
            _work_of(unseen, await _statements_of(unseen, operations.MUTATIONS["revokeMember"], {"input": input}))
        )

    assert work[0] == work[1] != []


@pytest.mark.parametrize("name", ["image", "node", "nodes"])
async def test_a_lookup_that_stops_early_would_be_noticed(
    unseen: UnseenObjects, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "is_beside", lambda table, id: table.c.id == id)
    reader = open_reader(unseen.store)
    faulty = unseen._replace(planner=Planner(unseen.gateway.schema.documents, unseen.gateway.services, reader))

    with pytest.raises(AssertionError):
        await _alike(unseen, unseen.images, lambda id: _planned(faulty, QUERIES[name], id))
    await reader.close()


async def _alike(unseen: UnseenObjects, ids: dict[str, str], ask: Callable[[str], Awaitable[list[Sent]]]) -> None:
    """Check that each ID takes as much work as an unused ID next to it."""
    found = {why: [_work_of(unseen, await ask(one)) for one in (id, _neighbour(id))] for why, id in ids.items()}

    assert all(there for there, _ in found.values())
    # The viewer's own row on an image that is not shared now is found, which takes a few instructions or a buffer.
    own_row = found.pop("inert")
    assert all(abs(there - absent) <= 3 for there, absent in zip(*own_row, strict=True)), own_row
    assert {why: there for why, (there, _) in found.items()} == {why: absent for why, (_, absent) in found.items()}


async def _planned(unseen: UnseenObjects, query: str, id: str) -> list[Sent]:
    ready = unseen.planner.bind(query, None, _variables(query, id), unseen.caller)
    assert ready is not None
    return [(ready.statement.sql, ready.values)]


async def _statements_of(unseen: UnseenObjects, operation: str, variables: dict[str, Any]) -> list[Sent]:
    with record_reads(unseen.store) as sent:
        await unseen.viewer.execute(operation, **variables)
    return sent


def _variables(query: str, id: str) -> dict[str, Any]:
    return {"ids": [id]} if "$ids" in query else {"id": id}


def _input(act: str, id: str) -> dict[str, Any]:
    return json.loads(json.dumps(ACTS[act]).replace("@", id))


def _work_of(unseen: UnseenObjects, sent: list[Sent]) -> list[int]:
    """The work of the operation's own statements, without those of the tailer and of background jobs."""
    ours = [one for one in sent if "event" not in one[0] and any(table in one[0] for table in TABLES)]
    return work_of(unseen.store, ours)
