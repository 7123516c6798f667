"""Reading a consumer's own members takes no more work if an image has more consumers, so timing reveals nothing."""

from collections.abc import AsyncGenerator
from typing import NamedTuple
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.api.plan.planner import Planner
from app.store.database import Store
from app.store.plan.reader import open_reader
from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, Tenant, settings_for, start_gateway
from tests.harness.scenario import Scenario, make_scenario
from tests.harness.statement_work import record_reads, vacuum, work_of

OTHERS = 1_000
PAGE = "nodes { id status } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
MEMBERS = f"members(first: 3) {{ {PAGE} }}"
AFTER = "MjA5MC0wMS0wMVQwMDowMDowMC4wMDAwMDArMDA6MDAgMDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAw"
QUERIES = {
    "a page": f'image(id: "@") {{ {MEMBERS} }}',
    "the last page": f'image(id: "@") {{ members(last: 3) {{ {PAGE} }} }}',
    "a page after a member": f'image(id: "@") {{ members(first: 3, after: "{AFTER}") {{ {PAGE} }} }}',
    "their number": 'image(id: "@") { members { totalCount } }',
    "of a node": f'node(id: "@") {{ ... on Image {{ {MEMBERS} }} }}',
    "of the image of a member": f'node(id: "%") {{ ... on Member {{ image {{ {MEMBERS} }} }} }}',
    "of listed images": f"images(first: 3) {{ nodes {{ {MEMBERS} }} }}",
    "of offered images": f"offers(first: 3, status: null) {{ nodes {{ image {{ {MEMBERS} }} }} }}",
    "within members": f'image(id: "@") {{ members(first: 3) {{ nodes {{ image {{ {MEMBERS} }} }} }} }}',
    "the own one": 'image(id: "@") { viewerMembership { id status } }',
}


class Shared(NamedTuple):
    """An image that has few consumers so far."""

    gateway: Gateway
    planner: Planner
    scenario: Scenario

    @property
    def store(self) -> Store:
        return self.gateway.services.store


@pytest.fixture
async def shared(databases: Databases) -> AsyncGenerator[Shared]:
    async with start_gateway(settings_for(databases.fresh())) as gateway:
        reader = open_reader(gateway.services.store)
        scenario = await make_scenario(gateway, "accepted")
        # So that the pages of the tables are equally full before and afterwards.
        await _add_members(gateway.services.store, await scenario.owner.register())
        yield Shared(gateway, Planner(gateway.schema.documents, gateway.services, reader), scenario)
        await reader.close()


async def test_members_take_no_more_work_for_a_consumer_when_others_are_added(shared: Shared) -> None:
    before = await _work(shared, shared.scenario.consumer)

    await _add_members(shared.store, shared.scenario.image)

    assert _more_expensive(before, await _work(shared, shared.scenario.consumer)) == {}


async def test_the_work_of_reading_all_members_would_be_noticed(shared: Shared) -> None:
    """For the owner, who sees all of them, the work grows."""
    before = await _work(shared, shared.scenario.owner)

    await _add_members(shared.store, shared.scenario.image)

    more_expensive = _more_expensive(before, await _work(shared, shared.scenario.owner))
    assert {("plan", "their number"), ("long way", "their number")} <= more_expensive.keys()


async def _work(shared: Shared, viewer: Tenant) -> dict[tuple[str, str], int]:
    await vacuum(shared.store)
    assert viewer.caller is not None
    found: dict[tuple[str, str], int] = {}
    for name, query in QUERIES.items():
        document = f"{{ {query} }}".replace("@", shared.scenario.image).replace("%", shared.scenario.consumer_row)
        ready = shared.planner.bind(document, None, {}, viewer.caller)
        assert ready is not None, name
        found["plan", name] = sum(work_of(shared.store, [(ready.statement.sql, ready.values)]))
        with record_reads(shared.store) as sent:
            assert not (await viewer.execute(document)).errors
        found["long way", name] = sum(work_of(shared.store, [one for one in sent if "event" not in one[0]]))
    return found


def _more_expensive(
    before: dict[tuple[str, str], int], after: dict[tuple[str, str], int]
) -> dict[tuple[str, str], object]:
    """The statements that take more work than before, apart from another level of an index or another page."""
    return {name: (before[name], after[name]) for name in before if after[name] > before[name] * 1.05 + 6}


async def _add_members(store: Store, image: str) -> None:
    """Add consumers to the image whose rows are older and newer than all others."""
    rows = [
        {"id": str(uuid4()), "image": image, "tenant": f"7{number}", "year": ("2001", "2080")[number % 2]}
        for number in range(OTHERS)
    ]
    stamp = ":year || '-01-01T00:00:00.000000Z'"
    at = f"CAST({stamp} AS timestamptz)" if store.url.get_backend_name() == "postgresql" else stamp
    insert = f"INSERT INTO member VALUES (:id, :image, :tenant, 'ACCEPTED', {at}, {at})"
    async with store.transaction() as tx:
        for row in rows:
            await tx.conn.execute(text(insert), row)
