"""A random walk: people change members in Glance and through two gateways, which crash, and lose and double events.

At the end both views are equal, no event contradicts what PostgreSQL's log says has really happened, and each watch had
every event once and in order. The same walk finds bugs that are planted.
"""

import asyncio
import random
from collections.abc import Collection, Generator, Sequence
from contextlib import AsyncExitStack, suppress
from unittest.mock import patch

import psycopg
import pytest

from app.mirror.bus import BusListener
from tests.cloud import plants
from tests.cloud.cloud import Cloud
from tests.cloud.history import recorded
from tests.cloud.users import Front
from tests.cloud.verdict import Event, contradictions, events, in_glance, mirrored
from tests.cloud.walkers import by_command, gateway, through, with_the_sdk
from tests.harness.databases import PostgresDatabases
from tests.harness.waiting import poll, wait_until

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(1_800)]
STEPS, COMMANDS, LOST, DOUBLED = 250, 8, 0.2, 0.2
# With a planted bug, walks are short, and there are several until one finds it.
SHORT_STEPS, WALKS = 100, 6
PATIENCE_SECONDS = 120
WATCH = """subscription { watchOffers {
  cursor ... on MemberStatusChanged { imageId tenant { id } previousStatus status }
} }"""


class Watcher:
    """A watch of one tenant on one gateway, and what it was told."""

    def __init__(self, front: Front, user: str) -> None:
        self._front = front
        self._user = user
        self.told: list[Event] = []

    async def run(self, is_ready: asyncio.Event) -> None:
        tenant = await self._front.user(self._user)
        async with tenant.watch(query=WATCH) as items:
            async for item in items:
                is_ready.set()
                if "status" in item:
                    key = item["imageId"], item["tenant"]["id"]
                    self.told.append((key, item["previousStatus"], item["status"]))


async def imported(database_url: str, images: Sequence[str]) -> None:
    """Until the first look at each image, what is found there counts as having been there before the gateway."""
    query = "SELECT count(*) FROM mirrored_image WHERE image_id = ANY(%s) AND seen >= 0"
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        await wait_until(
            lambda: connection.execute(query, (list(images),)).fetchone() == (len(images),), PATIENCE_SECONDS
        )


async def walk(
    cloud: Cloud, database_url: str, steps: int, bug: str | None = None, patience: float = PATIENCE_SECONDS
) -> tuple[list[str], int]:
    """What is wrong after a random walk of so many steps by each person, and the number of events.

    To forget marks shows only where nothing else finds the image: then people act through the gateways alone.
    """
    images = [await cloud.image(f"walk{number}") for number in range(4)]
    is_alone = bug == plants.MARKS
    sweep_rate, bus_url = (0, None) if is_alone else (20, cloud.bus_url)
    with plants.planted(bug), recorded(cloud.glance_database_url) as history:
        async with AsyncExitStack() as stack:
            fronts = [
                await stack.enter_async_context(gateway(cloud, database_url, url, sweep_rate, bug))
                for url in (bus_url, None)
            ]
            await imported(database_url, images)
            watchers = [] if bug else [Watcher(front, user) for front in fronts for user in ("producer", "consumer")]
            watching = await _begin(watchers)
            people = [through(front, images, steps) for front in fronts]
            if not is_alone:
                people += [with_the_sdk(cloud, images, steps) for _ in range(2)]
                people.append(by_command(cloud, images, 0 if bug else COMMANDS))
            await asyncio.gather(*people)
            problems = await _differences(cloud, database_url, images, patience)
            told = events(database_url, images)
            problems += await _missed(watchers, told, cloud.projects["consumer"])
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        return problems + contradictions(told, history.steps(), await in_glance(cloud, images)), len(told)


async def _begin(watchers: Sequence[Watcher]) -> "list[asyncio.Task[None]]":
    ready = [asyncio.Event() for _ in watchers]
    tasks = [asyncio.create_task(one.run(event)) for one, event in zip(watchers, ready, strict=True)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        for event in ready:
            await event.wait()
    return tasks


async def _differences(cloud: Cloud, database_url: str, images: Sequence[str], patience: float) -> list[str]:
    """Wait until both views are equal."""

    async def are_equal() -> bool:
        return await in_glance(cloud, images) == mirrored(database_url, images)

    try:
        await poll(are_equal, patience)
    except TimeoutError:
        return ["the views are not equal"]
    return []


async def _missed(watchers: Sequence[Watcher], told: Sequence[Event], consumer_id: str) -> list[str]:
    """Watches that were told of something else, or in another order, than what the log has for them."""
    wrong: list[str] = []
    for watcher in watchers:
        expected = [event for event in told if watcher._user == "producer" or event[0][1] == consumer_id]
        if await _received(watcher, {event[0][0] for event in told}, len(expected)) != expected:
            wrong.append(f"a watch of the {watcher._user} was not told what the log has")
    return wrong


async def _received(watcher: Watcher, images: Collection[str], number: int) -> list[Event]:
    """What a watch was told of these images, once it is so many events or the time is over."""

    def received() -> list[Event]:
        return [one for one in watcher.told if one[0][0] in images]

    with suppress(TimeoutError):
        await wait_until(lambda: len(received()) >= number, PATIENCE_SECONDS)
    return received()


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
    problems, events_told = await walk(cloud, postgres_databases.fresh(), STEPS)

    assert problems == []
    assert events_told > STEPS / 2


@pytest.mark.usefixtures("unreliable_bus")
@pytest.mark.parametrize("bug", [plants.ANSWERS, plants.VERSIONS, plants.MARKS])
async def test_a_planted_bug_is_found(cloud: Cloud, postgres_databases: PostgresDatabases, bug: str) -> None:
    for seed in range(WALKS):
        random.seed(seed)
        problems, _ = await walk(cloud, postgres_databases.fresh(), SHORT_STEPS, bug, patience=20)
        if problems:
            return
    pytest.fail(f"{WALKS} walks have not found that {bug}")
