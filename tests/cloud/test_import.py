"""The first import: every image with its members, without events; it can be done again."""

import asyncio
import subprocess
import sys

import pytest

from tests.cloud.cloud import Cloud
from tests.cloud.gateway import front_settings, settings_before
from tests.cloud.users import Front
from tests.harness.databases import Databases
from tests.harness.gateway import start_gateway
from tests.harness.server import _environment

pytestmark = pytest.mark.cloud


async def imported(cloud: Cloud, database_url: str) -> str:
    """What `image-gateway mirror` prints."""
    settings = {**front_settings(cloud), "database_url": database_url}
    command = [sys.executable, "-m", "app", "mirror", "--rate", "200"]
    run = asyncio.to_thread(
        subprocess.run, command, env=_environment(**settings), capture_output=True, text=True, check=True
    )
    return (await run).stdout


async def test_an_empty_store_is_filled_once_and_without_events(cloud: Cloud, databases: Databases) -> None:
    image_id, url, consumer_id = await cloud.image("from before"), databases.fresh(), cloud.projects["consumer"]
    async with cloud.images("producer") as images:
        await images.post(f"/images/{image_id}/members", json={"member": consumer_id})

    first = int((await imported(cloud, url)).split()[0])
    again = int((await imported(cloud, url)).split()[0])

    assert first > again
    async with start_gateway(
        settings_before(cloud, url, upstream_poll_seconds=1_000, upstream_sweep_rate=0)
    ) as gateway:
        consumer = await Front(cloud, gateway).user("consumer")
        found = await consumer.get("{ offers { nodes { image { id } } } offerEvents { nodes { imageId } } }")
    assert {"image": {"id": image_id}} in found["offers"]["nodes"]
    assert {"imageId": image_id} not in found["offerEvents"]["nodes"]
