"""What people do with the `openstack` command appears in the inbox and in the watch, each change once."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.cloud.cloud import Cloud
from tests.cloud.gateway import settings_before
from tests.cloud.users import Front
from tests.harness.databases import Databases
from tests.harness.gateway import PATIENCE_SECONDS, Tenant, running

pytestmark = pytest.mark.cloud
INBOX = "{ offers(status: [PENDING, ACCEPTED, REJECTED]) { nodes { status image { id name } } } }"
EVENTS = "{ offerEvents { nodes { imageId previousStatus status } } }"


@pytest.fixture(scope="module")
async def front(cloud: Cloud, databases: Databases) -> AsyncGenerator[Front]:
    changes = {"upstream_poll_seconds": 0.5, "upstream_sweep_rate": 50}
    async with running(settings_before(cloud, databases.fresh(), **changes)) as gateway:
        yield Front(cloud, gateway)


async def inbox(tenant: Tenant, image_id: str) -> list[str]:
    """The status of the offer of this image, as the consumer's inbox shows it."""
    nodes = (await tenant.get(INBOX))["offers"]["nodes"]
    return [node["status"] for node in nodes if node["image"]["id"] == image_id]


async def becomes(tenant: Tenant, image_id: str, expected: list[str]) -> None:
    async with asyncio.timeout(3 * PATIENCE_SECONDS):
        while await inbox(tenant, image_id) != expected:
            await asyncio.sleep(0.1)


async def test_a_handshake_by_the_openstack_command_is_watched_step_by_step(front: Front, cloud: Cloud) -> None:
    image_id, consumer_id = await cloud.image(), cloud.projects["consumer"]
    consumer = await front.user("consumer")
    async with consumer.watching(filter={"imageId": image_id}) as items:
        await anext(items)  # from here on nothing is missed
        await cloud.openstack("producer", "image", "add", "project", image_id, consumer_id)
        await becomes(consumer, image_id, ["PENDING"])
        await cloud.openstack("consumer", "image", "set", "--accept", image_id)
        await becomes(consumer, image_id, ["ACCEPTED"])
        await cloud.openstack("producer", "image", "remove", "project", image_id, consumer_id)
        await becomes(consumer, image_id, [])
        seen = [await anext(items) for _ in range(3)]

    steps = [(item["previousStatus"], item["status"]) for item in seen]
    assert steps == [(None, "PENDING"), ("PENDING", "ACCEPTED"), ("ACCEPTED", None)]
    assert [item["actor"]["id"] for item in seen if item["actor"]][:1] == [cloud.projects["producer"]]


async def test_an_image_that_is_deleted_in_glance_leaves_the_inbox(front: Front, cloud: Cloud) -> None:
    image_id, consumer_id = await cloud.image(), cloud.projects["consumer"]
    consumer = await front.user("consumer")
    async with cloud.images("producer") as images:
        await images.post(f"/images/{image_id}/members", json={"member": consumer_id})
        await becomes(consumer, image_id, ["PENDING"])
        await images.delete(f"/images/{image_id}")
    await becomes(consumer, image_id, [])


async def test_visibility_and_name_are_as_in_glance_within_a_poll(front: Front, cloud: Cloud) -> None:
    image_id, producer = await cloud.image(), await front.user("producer")

    async with cloud.images("producer") as images:
        patch = [
            {"op": "replace", "path": "/visibility", "value": "community"},
            {"op": "replace", "path": "/name", "value": "another"},
        ]
        headers = {"content-type": "application/openstack-images-v2.1-json-patch"}
        (await images.patch(f"/images/{image_id}", json=patch, headers=headers)).raise_for_status()

    expected = {"image": {"name": "another", "visibility": "COMMUNITY"}}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await producer.get("query($id: ID!) { image(id: $id) { name visibility } }", id=image_id) != expected:
            await asyncio.sleep(0.1)


async def test_what_was_there_before_the_gateway_makes_no_events(cloud: Cloud, databases: Databases) -> None:
    image_id, consumer_id = await cloud.image("from before"), cloud.projects["consumer"]
    async with cloud.images("producer") as images:
        await images.post(f"/images/{image_id}/members", json={"member": consumer_id})

    async with running(settings_before(cloud, databases.fresh(), upstream_poll_seconds=0.5)) as gateway:
        front = Front(cloud, gateway)
        consumer = await front.user("consumer")
        await becomes(consumer, image_id, ["PENDING"])
        nodes = (await consumer.get(EVENTS))["offerEvents"]["nodes"]
        assert [node for node in nodes if node["imageId"] == image_id] == []

        await consumer.accept(image_id)
        nodes = (await consumer.get(EVENTS))["offerEvents"]["nodes"]
        steps = [(node["previousStatus"], node["status"]) for node in nodes if node["imageId"] == image_id]
        assert steps == [("PENDING", "ACCEPTED")]
