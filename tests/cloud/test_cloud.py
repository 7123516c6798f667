"""The cloud that the other tests of this folder stand on, and the facts about it that the gateway relies on."""

import pytest

from tests.cloud.cloud import Cloud
from tests.cloud.services import OBSERVER

pytestmark = pytest.mark.cloud


def members(image_id: str, consumer: str = "") -> str:
    return f"/images/{image_id}/members" + (f"/{consumer}" if consumer else "")


async def test_an_offer_is_made_answered_and_ended_by_the_openstack_command(cloud: Cloud) -> None:
    image_id, consumer = await cloud.image(), cloud.projects["consumer"]

    await cloud.openstack("producer", "image", "add", "project", image_id, consumer)
    await cloud.openstack("consumer", "image", "set", "--accept", image_id)
    listed = await cloud.openstack("producer", "image", "member", "list", image_id, "-f", "value", "-c", "Status")
    await cloud.openstack("producer", "image", "remove", "project", image_id, consumer)

    assert listed.strip() == "accepted"
    async with cloud.images("producer") as producer:
        assert (await producer.get(members(image_id))).json()["members"] == []


async def test_an_offer_is_answered_by_its_consumer_alone(cloud: Cloud) -> None:
    image_id, consumer = await cloud.image(), cloud.projects["consumer"]
    async with cloud.images("producer") as owner, cloud.images("consumer") as bob, cloud.images("stranger") as stranger:
        offered = await owner.post(members(image_id), json={"member": consumer})
        again = await owner.post(members(image_id), json={"member": consumer})
        accept = {"status": "accepted"}
        answers = [await one.put(members(image_id, consumer), json=accept) for one in (owner, stranger, bob)]

    assert (offered.status_code, offered.json()["status"], again.status_code) == (200, "pending", 409)
    assert [answer.status_code for answer in answers] == [403, 404, 200]
    assert answers[-1].json()["created_at"] == offered.json()["created_at"]


async def test_the_observer_reads_every_image_and_its_members_and_changes_nothing(cloud: Cloud) -> None:
    image_id, consumer = await cloud.image(), cloud.projects["consumer"]
    async with cloud.images("producer") as owner, cloud.images("observer") as observer:
        await owner.post(members(image_id), json={"member": consumer})
        read = (await observer.get(members(image_id))).json()["members"]
        refused = [
            await observer.post(members(image_id), json={"member": "x"}),
            await observer.put(members(image_id, consumer), json={"status": "accepted"}),
            await observer.delete(members(image_id, consumer)),
            await observer.delete(f"/images/{image_id}"),
        ]

    assert [row["member_id"] for row in read] == [consumer]
    assert [answer.status_code for answer in refused] == [403] * 4, OBSERVER


async def test_members_of_a_private_image_are_shown_to_nobody(cloud: Cloud) -> None:
    image_id = await cloud.image(visibility="private")
    async with (
        cloud.images("producer") as owner,
        cloud.images("consumer") as consumer,
        cloud.images("observer") as observer,
    ):
        answers = [(await one.get(members(image_id))).status_code for one in (owner, consumer, observer)]

    assert answers == [403, 404, 403]
