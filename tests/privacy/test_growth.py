"""Images shared among others don't make a tenant's lists more expensive, in instructions of SQLite."""

import sqlite3
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event

from app.api.plan.planner import Planner
from app.store.plan.reader import SqliteReader
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import Gateway, Tenant, settings_for, start_gateway
from tests.harness.scenario import Scenario, make_scenario

STRANGERS, IMAGES_OF_EACH, MEMBERS_OF_EACH = 20, 20, 5
PAGE = "nodes { id } pageInfo { hasNextPage endCursor }"
LISTS = {
    "images": f"images(first: 2) {{ {PAGE} }}",
    "images with any answer": f"images(first: 2, memberStatus: null, hidden: null) {{ {PAGE} }}",
    "an image by its external ID": f'images(first: 2, externalId: "x") {{ {PAGE} }}',
    "images of an owner": f'images(first: 2, ownerId: "@") {{ {PAGE} }}',
    "offers": f"offers(first: 2) {{ {PAGE} }}",
    "offers with any answer": f"offers(first: 2, status: null) {{ {PAGE} }}",
    "offers that were sent": f"sentOffers(first: 2) {{ {PAGE} }}",
    "images of a tenant": f"viewer {{ images(first: 2) {{ {PAGE} }} }}",
    "members of images": f"images(first: 2) {{ nodes {{ members(first: 2) {{ {PAGE} }} }} }}",
}
COUNTED = {name: query.replace(PAGE, "totalCount") for name, query in LISTS.items()}


class GrowthScene:
    """A small world, and its SQLite file."""

    def __init__(self, gateway: Gateway, scenario: Scenario, path: str) -> None:
        self.gateway = gateway
        self.scenario = scenario
        self.path = path
        self.reader = SqliteReader(gateway.services.store)
        self.planner = Planner(gateway.schema.documents, gateway.services, self.reader)


@pytest.fixture
async def scene(sqlite_databases: SqliteDatabases) -> AsyncGenerator[GrowthScene]:
    url = sqlite_databases.fresh()
    async with start_gateway(settings_for(url)) as gateway:
        scenario = await make_scenario(gateway, "pending")
        for number in range(4):
            image = await scenario.owner.register(name=f"image {number}")
            await scenario.owner.offer(image, scenario.consumer.id, scenario.other.id)
            await scenario.owner.update(image, visibility="SHARED")
        scene = GrowthScene(gateway, scenario, url.partition("///")[2])
        yield scene
        await scene.reader.close()


WAYS = [
    *(("plan", "LISTS", name) for name in ("owner", "consumer", "operator")),
    *(("plan", "COUNTED", name) for name in ("owner", "consumer")),
    *(("long way", "LISTS", name) for name in ("owner", "consumer", "operator")),
]


@pytest.mark.parametrize(("way", "lists", "name"), WAYS)
async def test_a_list_and_its_count_take_no_more_instructions_when_others_share_more(
    scene: GrowthScene, way: str, lists: str, name: str
) -> None:
    steps, queries = {"plan": _steps_of_plan, "long way": _steps_of_long_way}[way], {"LISTS": LISTS, "COUNTED": COUNTED}
    viewer = scene.scenario.caller(name)
    before = {list_: await steps(scene, query, viewer) for list_, query in queries[lists].items()}

    _grow(scene.path)

    after = {list_: await steps(scene, query, viewer) for list_, query in queries[lists].items()}
    assert more_expensive(before, after) == {}


@pytest.mark.parametrize("name", ["owner", "consumer", "stranger"])
async def test_nobody_learns_by_the_time_whether_others_use_an_external_id(scene: GrowthScene, name: str) -> None:
    viewer, query = scene.scenario.caller(name), LISTS["an image by its external ID"]
    _grow(scene.path)
    before = [await steps(scene, query, viewer) for steps in (_steps_of_plan, _steps_of_long_way)]

    _grow(scene.path, "x")

    after = [await steps(scene, query, viewer) for steps in (_steps_of_plan, _steps_of_long_way)]
    assert after == pytest.approx(before, abs=2)


def more_expensive(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    """The statements that take more instructions than before, apart from a few for the depth of an index."""
    return {name: (before[name], after[name]) for name in before if after[name] > before[name] * 1.1 + 5}


class Steps:
    """Counts the instructions that SQLite executes on a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.number = 0
        connection.set_progress_handler(self._count, 1)

    def _count(self) -> int:
        self.number += 1
        return 0


async def _steps_of_plan(scene: GrowthScene, query: str, viewer: Tenant) -> int:
    steps = Steps(scene.reader._open_loop_connection())
    answer = await scene.planner.answer(f"{{ {query} }}".replace("@", viewer.id), None, {}, viewer.caller)
    assert answer is not None
    return steps.number


async def _steps_of_long_way(scene: GrowthScene, query: str, viewer: Tenant) -> int:
    sent: list[tuple[str, Any]] = []
    engine = scene.gateway.services.store.reader.sync_engine

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    await viewer.get(f"{{ {query} }}".replace("@", viewer.id))
    event.remove(engine, "before_cursor_execute", note)
    connection = sqlite3.connect(scene.path)
    steps = Steps(connection)
    for statement, parameters in sent:
        connection.execute(statement, parameters).fetchall()
    connection.close()
    return steps.number


def _grow(path: str, external_id: str | None = None) -> None:
    """Add strangers with many images, older than all others, which they share with each other.

    Each of them has one image with the external ID.
    """
    connection = sqlite3.connect(path)
    for stranger in range(STRANGERS):
        for number in range(IMAGES_OF_EACH):
            image, at = str(uuid4()), _long_ago(number)
            visibility = ("SHARED", "SHARED", "SHARED", "PRIVATE", "COMMUNITY")[number % 5]
            connection.execute(
                "INSERT INTO image (id, owner_id, name, origin, status, visibility, min_disk_gb, min_ram_mb, tags, "
                "protected, hidden, created_at, updated_at, external_id) "
                "VALUES (?, ?, 'x', 'IMPORT', 'ACTIVE', ?, 0, 0, '[]', 0, 0, ?, ?, ?)",
                (
                    image,
                    f"{9 if external_id is None else 7}{stranger}",
                    visibility,
                    at,
                    at,
                    external_id if number == 0 else None,
                ),
            )
            for member in range(MEMBERS_OF_EACH):
                row = (str(uuid4()), image, f"8{member}", ("PENDING", "ACCEPTED")[member % 2], at, at)
                connection.execute("INSERT INTO member VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.commit()
    connection.close()


def _long_ago(number: int) -> str:
    return (datetime(2001, 1, 1, tzinfo=UTC) + timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
