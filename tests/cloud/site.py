"""Gateways that crash, the people who use them, and the watches on them, in rounds of a random walk."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress

from tests.cloud.verdict import Event
from tests.cloud.walkers import CrashingGateway, Person
from tests.harness.waiting import wait_until

# All work on the same images, and not for long: a wrong order would be a right one in a long history of few states.
STEPS_IN_A_ROUND = 3
PATIENCE_SECONDS = 120
WATCH = """subscription($after: Cursor) { watchOffers(after: $after) {
  cursor ... on MemberStatusChanged { imageId tenant { id } previousStatus status }
} }"""


class Watcher:
    """A watch of one tenant, and what it was told. It resumes when its gateway is started again."""

    def __init__(self, gateway: CrashingGateway, user: str) -> None:
        self.gateway = gateway
        self.user = user
        self.told: list[Event] = []
        self._cursor: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        await wait_until(lambda: self._cursor is not None or (self._task is not None and self._task.done()))

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        tenant = await self.gateway.front.user(self.user)
        async with tenant.watch(query=WATCH, after=self._cursor) as items:
            async for item in items:
                self._cursor = item["cursor"]
                if "status" in item:
                    self.told.append(((item["imageId"], item["tenant"]["id"]), item["previousStatus"], item["status"]))


class Walk:
    """Gateways, people and watches, and the images that they work on."""

    def __init__(self, gateways: Sequence[CrashingGateway], people: Sequence[Person]) -> None:
        self._gateways = gateways
        self._people = people
        self._watchers: list[Watcher] = []

    async def watch(self) -> None:
        self._watchers = [Watcher(gateway, user) for gateway in self._gateways for user in ("producer", "consumer")]
        for watcher in self._watchers:
            await watcher.start()

    async def round(self, images: Sequence[str]) -> int:
        """Everybody works on a few images; then gateways are started again that have crashed. Returns the steps."""
        people = [person(image_id, STEPS_IN_A_ROUND) for person in self._people for image_id in images]
        walks = [gateway.walk(image_id, STEPS_IN_A_ROUND) for gateway in self._gateways for image_id in images]
        steps, _ = await asyncio.gather(asyncio.gather(*walks), asyncio.gather(*people))
        for gateway in self._gateways:
            if gateway.life.has_ended:
                await self._restart(gateway)
        return sum(steps) + len(people) * STEPS_IN_A_ROUND

    async def _restart(self, gateway: CrashingGateway) -> None:
        watchers = [watcher for watcher in self._watchers if watcher.gateway is gateway]
        for watcher in watchers:
            await watcher.stop()
        await gateway.stop()
        await gateway.start()
        for watcher in watchers:
            await watcher.start()

    async def missed(self, told: Sequence[Event], consumer_id: str) -> list[str]:
        """Watches that were told of something else, or in another order, than what the log has for them."""
        wrong: list[str] = []
        for watcher in self._watchers:
            expected = [event for event in told if watcher.user == "producer" or event[0][1] == consumer_id]
            if await _received(watcher, {event[0][0] for event in told}, len(expected)) != expected:
                wrong.append(f"a watch of the {watcher.user} was not told what the log has")
            await watcher.stop()
        return wrong


async def _received(watcher: Watcher, images: Collection[str], number: int) -> list[Event]:
    """What a watch was told of these images, once it is so many events or the time is over."""

    def received() -> list[Event]:
        return [one for one in watcher.told if one[0][0] in images]

    with suppress(TimeoutError):
        await wait_until(lambda: len(received()) >= number, PATIENCE_SECONDS)
    return received()
