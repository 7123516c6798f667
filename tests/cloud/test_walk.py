"""A random walk: people change members in Glance and through two gateways, which crash, and lose and double events.

At the end both views are equal, no event contradicts what PostgreSQL's log says has really happened, and each watch had
every event once and in order. Short walks of the same kind find bugs that are planted.
"""

import asyncio
import random
from collections.abc import Generator, Sequence
from contextlib import AsyncExitStack
from unittest.mock import patch

import pytest

from app.mirror.bus import BusListener
from tests.cloud import plants
from tests.cloud.cloud import Cloud
from tests.cloud.history import recorded
from tests.cloud.site import PATIENCE_SECONDS, STEPS_IN_A_ROUND, Walk
from tests.cloud.verdict import NEVER, UNEQUAL, contradictions, events, in_glance, mirrored
from tests.cloud.walkers import CrashingGateway, Traffic, by_command, sdk_person
from tests.harness.databases import PostgresDatabases
from tests.harness.waiting import poll

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(1_800)]
STEPS, CRASHES, LOST, DOUBLED = 1_000, 0.1, 0.2, 0.2
LANES = 4
COMMANDS = 8
# With a planted bug, walks are short, and there are several until one finds it.
SHORT_STEPS, WALKS = 180, 4


async def walk(cloud: Cloud, database_url: str) -> tuple[list[str], int]:
    """What is wrong after a random walk, and the number of events."""
    async with AsyncExitStack() as stack:
        history = stack.enter_context(recorded(cloud.glance_database_url))
        images = await _images(cloud, STEPS)
        site = await _site(stack, cloud, database_url, images, None)
        await site.watch()
        done = number = 0
        while done < STEPS:
            async with asyncio.TaskGroup() as together:
                steps = together.create_task(site.round(_lanes(images, number)))
                if number < COMMANDS * LANES:
                    together.create_task(by_command(cloud, images[number]))
            done += steps.result()
            number += LANES
        problems = await _differences(cloud, database_url, images, PATIENCE_SECONDS)
        told = events(database_url, images)
        problems += await site.missed(told, cloud.projects["consumer"])
        return problems + contradictions(told, history.steps(), await in_glance(cloud, images)), len(told)


async def finds(cloud: Cloud, database_url: str, bug: str) -> bool:
    """Whether a short walk of the same kind finds an event against the true order."""
    async with AsyncExitStack() as stack:
        history = stack.enter_context(recorded(cloud.glance_database_url))
        stack.enter_context(plants.planted(bug))
        images = await _images(cloud, SHORT_STEPS)
        site = await _site(stack, cloud, database_url, images, bug)
        for number in range(0, len(images), LANES):
            await site.round(_lanes(images, number))
            told = events(database_url, images)
            if any(NEVER in problem for problem in contradictions(told, history.steps(), {})):
                return True
    return False


async def lonely_walk(cloud: Cloud, database_url: str, bug: str | None) -> list[str]:
    """What is wrong after a walk through one gateway that crashes often, when nobody else says where to look."""
    images = [await cloud.image(f"lonely walk {number}") for number in range(12)]
    async with AsyncExitStack() as stack:
        gateway = CrashingGateway(cloud, Traffic(), database_url, 3 * CRASHES, bug, upstream_sweep_rate=0)
        with plants.planted(bug):
            await _start(stack, [gateway], images)
            for image_id in images:
                await Walk([gateway], []).round([image_id])
            return await _differences(cloud, database_url, images, patience=10 if bug else PATIENCE_SECONDS)


async def _start(stack: AsyncExitStack, gateways: Sequence[CrashingGateway], images: Sequence[str]) -> None:
    """Start the gateways, and let them know the images: what the first look finds was there before, without events."""
    for gateway in gateways:
        stack.push_async_callback(gateway.stop)
        await gateway.start()
    for image_id in images:
        await gateways[0].mirror.look(image_id)


async def _images(cloud: Cloud, steps: int) -> list[str]:
    """Enough images for so many steps."""
    return [await cloud.image(f"walk {number}") for number in range(LANES + steps // (4 * STEPS_IN_A_ROUND))]


def _lanes(images: Sequence[str], number: int) -> list[str]:
    return [images[(number + lane) % len(images)] for lane in range(LANES)]


async def _site(stack: AsyncExitStack, cloud: Cloud, database_url: str, images: Sequence[str], bug: str | None) -> Walk:
    """Two gateways, of which one hears notifications, and two people."""
    bus = {} if cloud.bus_url is None else {"upstream_bus_url": cloud.bus_url.replace("rabbit:", "amqp:")}
    traffic = Traffic()
    gateways = [
        CrashingGateway(cloud, traffic, database_url, CRASHES, bug, upstream_sweep_rate=20, **hints)
        for hints in (bus, {})
    ]
    people = [await stack.enter_async_context(sdk_person(cloud)) for _ in range(2)]
    await _start(stack, gateways, images)
    return Walk(gateways, people)


async def _differences(cloud: Cloud, database_url: str, images: Sequence[str], patience: float) -> list[str]:
    """Wait until both views are equal."""

    async def are_equal() -> bool:
        return await in_glance(cloud, images) == mirrored(database_url, images)

    try:
        await poll(are_equal, patience)
    except TimeoutError:
        return [UNEQUAL]
    return []


@pytest.fixture
def unreliable_bus() -> Generator[None]:
    """Notifications that get lost, and that come twice."""
    mark = BusListener._mark

    async def unreliable(self: BusListener, image_id: str) -> None:
        if random.random() >= LOST:
            await mark(self, image_id)
            if random.random() < DOUBLED:
                await mark(self, image_id)

    with patch.object(BusListener, "_mark", unreliable):
        yield


@pytest.mark.usefixtures("unreliable_bus")
async def test_no_event_contradicts_the_true_order_and_both_views_end_equal(
    cloud: Cloud, postgres_databases: PostgresDatabases
) -> None:
    random.seed(17)
    problems, events_told = await walk(cloud, postgres_databases.fresh())

    assert problems == []
    assert events_told > STEPS / 8


@pytest.mark.usefixtures("unreliable_bus")
@pytest.mark.parametrize("bug", [plants.ANSWERS, plants.VERSIONS])
async def test_a_bug_that_stores_an_old_view_is_found(
    cloud: Cloud, postgres_databases: PostgresDatabases, bug: str
) -> None:
    for seed in range(WALKS):
        random.seed(seed)
        if await finds(cloud, postgres_databases.fresh(), bug):
            return
    pytest.fail(f"{WALKS} walks have not found that {bug}")


async def test_marks_that_are_forgotten_at_the_start_are_found(
    cloud: Cloud, postgres_databases: PostgresDatabases
) -> None:
    random.seed(17)
    assert await lonely_walk(cloud, postgres_databases.fresh(), None) == []

    for seed in range(WALKS):
        random.seed(seed)
        if await lonely_walk(cloud, postgres_databases.fresh(), plants.MARKS) == [UNEQUAL]:
            return
    pytest.fail(f"{WALKS} walks have not found that {plants.MARKS}")
