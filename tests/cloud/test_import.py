"""The first import: every image with its members, without events; it can be interrupted, and a server may run."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from app.mirror.look import Mirror
from app.store.database import Store
from app.store.engines.engine import parse_url
from tests.cloud.catalogue import catalogue
from tests.cloud.cloud import Cloud
from tests.cloud.gateway import front_settings, settings_before
from tests.cloud.users import Front
from tests.harness.commands import environment
from tests.harness.databases import Databases
from tests.harness.gateway import start_gateway
from tests.harness.server import Server, run_server
from tests.harness.waiting import PATIENCE_SECONDS, poll

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]
COUNT = "{ offers(first: 1) { totalCount } offerEvents { nodes { imageId status } } }"
# Of the catalogue, every third image is offered to the consumer.
IMAGES, OFFERS = 150, 50


def command(cloud: Cloud, database_url: str, rate: int) -> "subprocess.Popen[str]":
    """`image-gateway mirror`, as it begins."""
    settings = front_settings(cloud) | {"database_url": database_url}
    arguments = [sys.executable, "-m", "app", "mirror", "--rate", str(rate)]
    pipe = subprocess.PIPE
    return subprocess.Popen(arguments, env=environment(**settings), stdout=pipe, stderr=pipe, text=True)


async def imported(cloud: Cloud, database_url: str) -> int:
    """The number of images that `image-gateway mirror` reports."""
    process = command(cloud, database_url, rate=200)
    printed, problems = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, problems
    return int(printed.split()[0])


async def waiting(database_url: str) -> int:
    """The number of images that the mirror has still to look at."""
    store = Store(parse_url(database_url))
    try:
        return await Mirror(store, None).count_marked()  # pyright: ignore[reportArgumentType]  # nothing is read upstream
    finally:
        await store.close()


async def test_an_empty_store_is_filled_once_and_without_events(cloud: Cloud, databases: Databases) -> None:
    image_id, url, consumer_id = await cloud.image("from before"), databases.fresh(), cloud.projects["consumer"]
    async with cloud.images("producer") as images:
        await images.post(f"/images/{image_id}/members", json={"member": consumer_id})

    first, again = await imported(cloud, url), await imported(cloud, url)

    assert first > again
    async with start_gateway(
        settings_before(cloud, url, upstream_poll_seconds=1_000, upstream_sweep_rate=0)
    ) as gateway:
        consumer = await Front(cloud, gateway).user("consumer")
        found = await consumer.get("{ offers { nodes { image { id } } } offerEvents { nodes { imageId } } }")
    assert {"image": {"id": image_id}} in found["offers"]["nodes"]
    assert {"imageId": image_id} not in found["offerEvents"]["nodes"]


async def test_an_import_that_is_killed_goes_on_beside_a_server_that_tells_of_what_changes_meanwhile(
    cloud: Cloud, databases: Databases, tmp_path: Path
) -> None:
    url, token = databases.fresh(), await cloud.token("consumer")
    with catalogue(cloud, IMAGES):
        process = command(cloud, url, rate=20)

        async def is_half_done() -> bool:
            return 0 < await waiting(url) < IMAGES - 20

        await poll(is_half_done)
        process.kill()
        process.communicate()
        assert await waiting(url) > 0

        with run_server(tmp_path, database_url=url, **front_settings(cloud), upstream_sweep_rate=10) as server:
            await asyncio.gather(imported(cloud, url), _told_of_a_new_offer(cloud, server, token))
            found = await asyncio.to_thread(server.data, COUNT, token)
    assert await waiting(url) == 0
    assert found["offers"]["totalCount"] >= OFFERS
    assert len(found["offerEvents"]["nodes"]) == 1


async def _told_of_a_new_offer(cloud: Cloud, server: Server, token: str) -> None:
    """An offer of an image that is made during the import is an event."""
    image_id = await cloud.image("made meanwhile")
    async with cloud.images("producer") as images:
        await images.post(f"/images/{image_id}/members", json={"member": cloud.projects["consumer"]})

    async def is_told() -> bool:
        events = (await asyncio.to_thread(server.data, COUNT, token))["offerEvents"]["nodes"]
        return {"imageId": image_id, "status": "PENDING"} in events

    await poll(is_told, 3 * PATIENCE_SECONDS)
