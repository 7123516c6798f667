"""What people do with the `openstack` command appears in the inbox and in the watch, each change once."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from tests.cloud.cloud import Cloud
from tests.cloud.gateway import settings_before
from tests.cloud.users import Front
from tests.harness.databases import Databases
from tests.harness.gateway import PATIENCE_SECONDS, Tenant, start_gateway
from tests.harness.waiting import poll

pytestmark = pytest.mark.cloud
INBOX = "{ offers(status: [PENDING, ACCEPTED, REJECTED]) { nodes { status image { id name } } } }"
EVENTS = "{ offerEvents { nodes { imageId previousStatus status } } }"


@pytest.fixture(scope="module")
async def front(cloud: Cloud, databases: Databases) -> AsyncGenerator[Front]:
    changes = {"upstream_poll_seconds": 0.5, "upstream_sweep_rate": 50}
    async with start_gateway(settings_before(cloud, databases.fresh(), **changes)) as gateway:
        yield Front(cloud, gateway)


async def inbox(tenant: Tenant, image_id: str) -> list[str]:
    """The status of the offer of this image, as the consumer's inbox shows it."""
    nodes = (await tenant.get(INBOX))["offers"]["nodes"]
    return [node["status"] for node in nodes if node["image"]["id"] == image_id]


async def becomes(tenant: Tenant, image_id: str, expected: list[str]) -> None:
    async def is_there() -> bool:
        return await inbox(tenant, image_id) == expected

    await poll(is_there, 3 * PATIENCE_SECONDS)


async def test_each_step_by_the_openstack_command_is_watched_once(front: Front, cloud: Cloud) -> None:
    image_id, consumer_id = await front.image(), cloud.projects["consumer"]
    consumer = await front.user("consumer")
    commands: list[tuple[str, str, str | None]] = [
        ("producer", f"add project {image_id} {consumer_id}", "PENDING"),
        ("consumer", f"set --accept {image_id}", "ACCEPTED"),
        ("consumer", f"set --reject {image_id}", "REJECTED"),
        ("consumer", f"set --pending {image_id}", "PENDING"),
        ("producer", f"remove project {image_id} {consumer_id}", None),
    ]
    async with consumer.watch(filter={"imageId": image_id}) as items:
        await anext(items)  # from here on nothing is missed
        for user, command, status in commands:
            await cloud.openstack(user, "image", *command.split())
            await becomes(consumer, image_id, [] if status is None else [status])
        seen = [await anext(items) for _ in commands]

    statuses = [None, *(status for _, _, status in commands)]
    steps = [(item["previousStatus"], item["status"]) for item in seen]
    assert steps == list(pairwise(statuses))
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

    async def is_changed() -> bool:
        found = await producer.get("query($id: ID!) { image(id: $id) { name visibility } }", id=image_id)
        return found == {"image": {"name": "another", "visibility": "COMMUNITY"}}

    await poll(is_changed)


async def test_what_was_there_before_the_gateway_makes_no_events(cloud: Cloud, databases: Databases) -> None:
    image_id, consumer_id = await cloud.image("from before"), cloud.projects["consumer"]
    async with cloud.images("producer") as images:
        await images.post(f"/images/{image_id}/members", json={"member": consumer_id})

    async with start_gateway(settings_before(cloud, databases.fresh(), upstream_poll_seconds=0.5)) as gateway:
        front = Front(cloud, gateway)
        consumer = await front.user("consumer")
        await becomes(consumer, image_id, ["PENDING"])
        nodes = (await consumer.get(EVENTS))["offerEvents"]["nodes"]
        assert [node for node in nodes if node["imageId"] == image_id] == []

        await consumer.accept(image_id)
        nodes = (await consumer.get(EVENTS))["offerEvents"]["nodes"]
        steps = [(node["previousStatus"], node["status"]) for node in nodes if node["imageId"] == image_id]
        assert steps == [("PENDING", "ACCEPTED")]


async def test_notifications_alone_tell_of_every_change_in_order(
    cloud: Cloud, databases: Databases, bus_url: str
) -> None:
    consumer_id = cloud.projects["consumer"]
    await cloud.image()  # Glance's exchange is there from its first notification on
    changes: dict[str, Any] = {
        "upstream_poll_seconds": 1_000,
        "upstream_sweep_rate": 0,
        "upstream_bus_url": bus_url.replace("rabbit:", "amqp:"),
        "upstream_bus_queue": f"tests-{uuid4().hex}",
    }
    async with start_gateway(settings_before(cloud, databases.fresh(), **changes)) as gateway:
        front = Front(cloud, gateway)
        consumer = await front.user("consumer")
        async with cloud.images("producer") as owner, cloud.images("consumer") as member:
            image_id = await _announced(cloud, consumer, owner)
            async with consumer.watch(filter={"imageId": image_id}) as items:
                await anext(items)
                mine = f"/images/{image_id}/members/{consumer_id}"
                for status in ("accepted", "rejected"):
                    (await member.put(mine, json={"status": status})).raise_for_status()
                    await becomes(consumer, image_id, [status.upper()])
                await owner.delete(mine)
                seen = [await anext(items) for _ in range(3)]

    steps = [(item["previousStatus"], item["status"]) for item in seen]
    assert steps == [("PENDING", "ACCEPTED"), ("ACCEPTED", "REJECTED"), ("REJECTED", None)]


async def test_after_a_restart_of_the_broker_notifications_and_what_was_missed_arrive(
    cloud: Cloud, databases: Databases, bus_url: str
) -> None:
    missed, consumer_id = await cloud.image(), cloud.projects["consumer"]
    changes: dict[str, Any] = {
        "upstream_poll_seconds": 1_000,
        "upstream_sweep_rate": 20,
        "upstream_bus_url": bus_url.replace("rabbit:", "amqp:"),
        "upstream_bus_queue": f"tests-{uuid4().hex}",
    }
    async with start_gateway(settings_before(cloud, databases.fresh(), **changes)) as gateway:
        front = Front(cloud, gateway)
        consumer = await front.user("consumer")
        async with cloud.images("producer") as owner:
            await _announced(cloud, consumer, owner)
            cloud.service("bus").kill()
            (await owner.post(f"/images/{missed}/members", json={"member": consumer_id})).raise_for_status()
            await asyncio.to_thread(cloud.service("bus").start)
            await becomes(consumer, missed, ["PENDING"])
            await _announced(cloud, consumer, owner)


async def _announced(cloud: Cloud, consumer: Tenant, owner: Any) -> str:
    """An offered image that the gateway has heard of. Until it has bound its queue it hears of nothing."""
    async with asyncio.timeout(3 * PATIENCE_SECONDS):
        while True:
            image_id = await cloud.image()
            await owner.post(f"/images/{image_id}/members", json={"member": cloud.projects["consumer"]})
            for _ in range(20):
                if await inbox(consumer, image_id):
                    return image_id
                await asyncio.sleep(0.1)  # two seconds in all, then another image is offered
