"""Those who take part in a random walk: people with clients of OpenStack, and gateways that crash."""

import asyncio
import os
import random
import subprocess
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.mirror.look import Mirror
from app.model import Caller
from app.store.mirror import MirrorState
from app.upstream.errors import Unanswered
from app.upstream.views import View
from tests.cloud import plants
from tests.cloud.cloud import Cloud
from tests.cloud.gateway import settings_before
from tests.cloud.plants import AnswerSource
from tests.cloud.users import Front
from tests.harness.gateway import Tenant, start_gateway
from tests.harness.waiting import wait_until

CONSUMERS = ("consumer", "second")
STATUSES = ("acceptOffer", "rejectOffer", "deferOffer")
# How long a person rests after a step.
PAUSES = (0, 0, 0.05, 0.2)
# Takes a number of random steps with one image.
Person = Callable[[str, int], Awaitable[None]]


class Life:
    """The life of one process, which may end at each risk."""

    def __init__(self, crashes: float) -> None:
        self._crashes = crashes
        self.has_ended = False

    def risk(self) -> None:
        if random.random() < self._crashes:
            self.has_ended = True
        self.go_on()

    def go_on(self) -> None:
        if self.has_ended:
            raise Unanswered("the process has ended here")


class Traffic:
    """Holds processes up until others have overtaken them, by storing changes of the same image."""

    HELD_UP, SECONDS = 0.4, 1

    def __init__(self) -> None:
        self._stored: Counter[str] = Counter()

    def observe(self, mirror: Mirror) -> None:
        store = mirror._store_view

        async def counted(image_id: str, position: MirrorState, view: View | None) -> bool | None:
            is_changed = await store(image_id, position, view)
            self._stored[image_id] += bool(is_changed)
            return is_changed

        mirror._store_view = counted

    async def hold_up(self, image_id: str) -> None:
        if random.random() < self.HELD_UP:
            enough = self._stored[image_id] + random.choice((1, 2))
            with suppress(TimeoutError):
                await wait_until(lambda: self._stored[image_id] >= enough, self.SECONDS)


class CrashingMirror(Mirror):
    """A mirror whose process is held up, or ends, after Glance has answered and before the look."""

    def __init__(self, mirror: Mirror, source: Any, life: Life, traffic: Traffic) -> None:
        super().__init__(mirror._store, source)
        self._life = life
        self._traffic = traffic
        traffic.observe(self)

    async def look(self, image_id: str) -> None:
        await self._traffic.hold_up(image_id)
        self._life.risk()
        await super().look(image_id)


class SlowSource:
    """A source whose views are held up on their way. A process that has ended receives none."""

    def __init__(self, source: Any, life: Life, traffic: Traffic) -> None:
        self._source = source
        self._life = life
        self._traffic = traffic

    async def view(self, image_id: str) -> View | None:
        view = await self._source.view(image_id)
        await self._traffic.hold_up(image_id)
        self._life.go_on()
        return view


class CrashingGateway:
    """A gateway in front of the cloud, which crashes and is started again."""

    front: Front
    mirror: Mirror
    life: Life

    def __init__(
        self, cloud: Cloud, traffic: Traffic, database_url: str, crashes: float, bug: str | None, **changes: Any
    ) -> None:
        self._cloud = cloud
        self._traffic = traffic
        self._settings = settings_before(cloud, database_url, bookmark_seconds=5, upstream_poll_seconds=1, **changes)
        self._crashes = crashes
        self._bug = bug
        self._running = AsyncExitStack()
        self._callers: dict[str, Caller | None] = {}

    async def start(self) -> None:
        running = await self._running.enter_async_context(start_gateway(self._settings))
        carrier: Any = running.services.upstream
        front, self.life = carrier._front, Life(self._crashes)
        self.mirror, glance = front.mirror, front.images
        source = self.mirror._source = SlowSource(glance, self.life, self._traffic)
        self._traffic.observe(self.mirror)
        if self._bug == plants.ANSWERS:
            glance = source = AnswerSource(running.services.store, glance)
        mirror = CrashingMirror(self.mirror, source, self.life, self._traffic)
        carrier._front = replace(front, images=glance, mirror=mirror)
        self.front = Front(self._cloud, running)

    async def _user(self, name: str) -> Tenant:
        """This user, whom Keystone has to describe only once."""
        if name not in self._callers:
            self._callers[name] = (await self.front.user(name)).caller
        return Tenant(self.front.gateway, self._callers[name])

    async def stop(self) -> None:
        self.life.has_ended = True  # what is marked stays marked
        await self._running.aclose()

    async def walk(self, image_id: str, steps: int) -> int:
        """Send random changes of one image, until this process ends. Returns the number of steps.

        Some are refused and some have no answer, as it comes.
        """
        users = {name: await self._user(name) for name in ("producer", *CONSUMERS)}
        for step in range(steps):
            consumer = random.choice(CONSUMERS)
            tenant_id = self._cloud.projects[consumer]
            if random.random() < 0.5:
                user, act = "producer", random.choice(("offerImage", "offerImage", "revokeMember"))
                named = {"tenantIds": [tenant_id]} if act == "offerImage" else {"tenantId": tenant_id}
            else:
                user, act, named = consumer, random.choice(STATUSES), {}
            await users[user].execute(MUTATION[act], input={"imageId": image_id, **named})
            if self.life.has_ended:
                return step + 1
        return steps


@asynccontextmanager
async def sdk_person(cloud: Cloud) -> AsyncGenerator[Person]:
    """Somebody who changes Glance with openstacksdk, until the block ends."""
    consumers = ",".join(f"{name}={cloud.projects[name]}" for name in CONSUMERS)
    script = Path(__file__).parent / "sdk_person.py"
    command = [cloud.environment.program("python"), str(script), str(random.randrange(1_000)), consumers]
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(cloud.folder / "clouds.yaml")}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    orders, answers, turn = process.stdin, process.stdout, asyncio.Lock()

    async def walk(image_id: str, steps: int) -> None:
        for _ in range(steps):
            async with turn:
                orders.write(f"{image_id}\n".encode())
                assert await answers.readline() == b"done\n"
            await asyncio.sleep(random.choice(PAUSES))  # the others go on meanwhile

    try:
        yield walk
    finally:
        orders.close()
        await process.wait()


async def by_command(cloud: Cloud, image_id: str) -> None:
    """One step in Glance by the `openstack` command."""
    name = random.choice(CONSUMERS)
    step = random.choice(("add", "remove", "--accept", "--reject", "--pending"))
    try:
        if step.startswith("--"):
            await cloud.openstack(name, "image", "set", step, image_id)
        else:
            await cloud.openstack("producer", "image", step, "project", image_id, cloud.projects[name])
    except subprocess.CalledProcessError:  # refused, as it comes
        return


MUTATION = {
    name: f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ errors {{ code }} }} }}"
    for name in ("offerImage", "revokeMember", *STATUSES)
}
