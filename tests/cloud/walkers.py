"""Those who take part in a random walk: people with clients of OpenStack, and gateways that crash."""

import asyncio
import os
import random
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from app.mirror.look import Mirror
from app.upstream.errors import Unanswered
from app.upstream.views import View
from tests.cloud import plants
from tests.cloud.cloud import Cloud
from tests.cloud.gateway import settings_before
from tests.cloud.plants import AnswerSource
from tests.cloud.users import Front
from tests.harness.gateway import start_gateway

CRASHES = 0.1
CONSUMERS = ("consumer", "second")
STATUSES = ("acceptOffer", "rejectOffer", "deferOffer")


class CrashingMirror(Mirror):
    """A mirror whose process may crash after Glance has answered and before the look."""

    async def look(self, image_id: str) -> None:
        if random.random() < CRASHES:
            raise Unanswered("the process ends here")
        await super().look(image_id)


class SlowSource:
    """A source whose views may be overtaken by others on their way."""

    def __init__(self, source: Any) -> None:
        self._source = source

    async def view(self, image_id: str) -> View | None:
        view = await self._source.view(image_id)
        await asyncio.sleep(random.choice((0, 0, 0.05, 0.2)))
        return view


@asynccontextmanager
async def gateway(
    cloud: Cloud, database_url: str, bus_url: str | None, sweep_rate: float, bug: str | None
) -> AsyncGenerator[Front]:
    changes: dict[str, Any] = {"upstream_poll_seconds": 0.5, "upstream_sweep_rate": sweep_rate}
    if bus_url is not None:
        changes["upstream_bus_url"] = bus_url.replace("rabbit:", "amqp:")
    async with start_gateway(settings_before(cloud, database_url, **changes)) as running_gateway:
        services = running_gateway.services
        carrier: Any = services.upstream
        glance: Any = carrier._front.images
        carrier._front.mirror._source = SlowSource(glance)
        if bug == plants.ANSWERS:
            glance = AnswerSource(services.store, glance)
        mirror = CrashingMirror(services.store, SlowSource(glance))
        carrier._front = replace(carrier._front, images=glance, mirror=mirror)
        yield Front(cloud, running_gateway)


async def through(front: Front, images: Sequence[str], steps: int) -> None:
    """Steps through a gateway. Some are refused and some have no answer, as it comes."""
    users = {name: await front.user(name) for name in ("producer", *CONSUMERS)}
    for _ in range(steps):
        image_id, consumer = random.choice(images), random.choice(CONSUMERS)
        tenant_id = front.cloud.projects[consumer]
        if random.random() < 0.5:
            act = random.choice(("offerImage", "offerImage", "revokeMember"))
            named = {"tenantIds": [tenant_id]} if act == "offerImage" else {"tenantId": tenant_id}
            await users["producer"].execute(MUTATION[act], input={"imageId": image_id, **named})
        else:
            await users[consumer].execute(MUTATION[random.choice(STATUSES)], input={"imageId": image_id})


async def with_the_sdk(cloud: Cloud, images: Sequence[str], steps: int) -> None:
    """Steps in Glance with openstacksdk."""
    consumers = ",".join(f"{name}={cloud.projects[name]}" for name in CONSUMERS)
    script = Path(__file__).parent / "sdk_person.py"
    command = [cloud.environment.program("python"), str(script), str(random.randrange(1_000)), str(steps), consumers]
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(cloud.folder / "clouds.yaml")}
    await asyncio.to_thread(partial(subprocess.run, [*command, *images], env=environment, check=True))


async def by_command(cloud: Cloud, images: Sequence[str], steps: int) -> None:
    """Steps in Glance by the `openstack` command."""
    for _ in range(steps):
        image_id, name = random.choice(images), random.choice(CONSUMERS)
        tenant_id = cloud.projects[name]
        step = random.choice(("add", "remove", "--accept", "--reject", "--pending"))
        try:
            if step.startswith("--"):
                await cloud.openstack(name, "image", "set", step, image_id)
            else:
                await cloud.openstack("producer", "image", step, "project", image_id, tenant_id)
        except subprocess.CalledProcessError:  # refused, as it comes
            continue


MUTATION = {
    name: f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ errors {{ code }} }} }}"
    for name in ("offerImage", "revokeMember", *STATUSES)
}
