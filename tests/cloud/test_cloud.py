"""The cloud that the other tests of this folder stand on, and the facts about it that the gateway relies on."""

import asyncio
from contextlib import AsyncExitStack

import httpx2
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
        by_others = [await one.post(members(image_id), json={"member": "x"}) for one in (bob, stranger)]
        accept = {"status": "accepted"}
        answers = [await one.put(members(image_id, consumer), json=accept) for one in (owner, stranger, bob)]

    assert (offered.status_code, offered.json()["status"], again.status_code) == (200, "pending", 409)
    assert [answer.status_code for answer in by_others] == [403, 404]
    assert [answer.status_code for answer in answers] == [403, 404, 200]
    assert answers[-1].json()["created_at"] == offered.json()["created_at"]


async def test_an_offer_is_in_the_inbox_until_it_is_accepted_and_no_step_moves_the_times_of_the_image(
    cloud: Cloud,
) -> None:
    image_id, consumer = await cloud.image(), cloud.projects["consumer"]
    async with cloud.images("producer") as owner, cloud.images("consumer") as bob:

        async def lists() -> list[bool]:
            """Whether the inbox and the default list have the image."""
            queries = ({"visibility": "shared", "member_status": "pending"}, {})
            pages = [await bob.get("/images", params={"limit": 1_000, **query}) for query in queries]
            return [image_id in {image["id"] for image in page.json()["images"]} for page in pages]

        before = (await owner.get(f"/images/{image_id}")).json()["updated_at"]
        await owner.post(members(image_id), json={"member": consumer})
        pending = await lists()
        await bob.put(members(image_id, consumer), json={"status": "accepted"})
        accepted = await lists()
        after = (await owner.get(f"/images/{image_id}")).json()["updated_at"]

    assert (pending, accepted) == ([True, False], [False, True])
    assert after == before


async def test_a_removal_is_the_owners_and_an_offer_made_again_has_the_first_time(cloud: Cloud) -> None:
    image_id, consumer = await cloud.image(), cloud.projects["consumer"]
    async with cloud.images("producer") as owner, cloud.images("consumer") as bob:
        first = await owner.post(members(image_id), json={"member": consumer})
        removals = [await one.delete(members(image_id, consumer)) for one in (bob, owner, owner)]
        again = await owner.post(members(image_id), json={"member": consumer})
        conditional = await bob.put(
            members(image_id, consumer), json={"status": "accepted"}, headers={"If-Match": '"x"'}
        )

    assert [answer.status_code for answer in removals] == [403, 204, 404]
    assert (again.json()["status"], again.json()["created_at"]) == ("pending", first.json()["created_at"])
    assert conditional.status_code == 200


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


async def test_members_of_a_private_image_are_shown_to_nobody_and_a_deleted_one_is_unknown_to_all(
    cloud: Cloud,
) -> None:
    image_id = await cloud.image(visibility="private")
    async with AsyncExitStack() as stack:
        users = ("producer", "consumer", "observer", "admin")
        clients = [await stack.enter_async_context(cloud.images(user)) for user in users]
        private = [(await one.get(members(image_id))).status_code for one in clients]
        await clients[0].delete(f"/images/{image_id}")
        deleted = [(await one.get(f"/images/{image_id}")).status_code for one in clients]

    assert private == [403, 404, 403, 403]
    assert deleted == [404] * 4


async def test_a_token_is_described_to_itself_and_to_a_service(cloud: Cloud) -> None:
    token, service, other = (
        await cloud.fresh_token("second"),
        await cloud.token("glance"),
        await cloud.token("consumer"),
    )

    async def described(to: str) -> int:
        headers = {"x-auth-token": to, "x-subject-token": token}
        async with httpx2.AsyncClient(timeout=60, trust_env=False) as client:
            return (await client.get(f"{cloud.keystone_url}/auth/tokens", headers=headers)).status_code

    good = [await described(to) for to in (token, service, other)]
    await asyncio.to_thread(cloud.identity.revoke, token)
    revoked = [await described(to) for to in (token, service)]

    assert (good, revoked) == ([200, 200, 403], [401, 404])
