"""Changes through the gateway take place in Glance, with the caller's own token, and what Glance says is the answer."""

from collections.abc import AsyncGenerator

import pytest

from tests.cloud.cloud import Cloud
from tests.cloud.gateway import settings_before
from tests.cloud.users import Front
from tests.harness.databases import Databases
from tests.harness.gateway import refusal_code, start_gateway

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
async def front(cloud: Cloud, databases: Databases) -> AsyncGenerator[Front]:
    async with start_gateway(settings_before(cloud, databases.fresh())) as gateway:
        yield Front(cloud, gateway)


async def statuses(cloud: Cloud, image_id: str) -> dict[str, str]:
    """The members of an image by their status, as Glance has them."""
    async with cloud.images("producer") as images:
        rows = (await images.get(f"/images/{image_id}/members")).json()["members"]
    return {row["member_id"]: row["status"] for row in rows}


async def test_a_handshake_through_the_gateway_takes_place_in_glance(front: Front, cloud: Cloud) -> None:
    image_id, consumer_id = await cloud.image(), cloud.projects["consumer"]
    producer, consumer = await front.user("producer"), await front.user("consumer")

    offered = await producer.offer(image_id, consumer_id)
    assert [row["status"] for row in offered["members"]] == ["PENDING"]
    assert await statuses(cloud, image_id) == {consumer_id: "pending"}

    for answer, status in ((consumer.accept, "accepted"), (consumer.reject, "rejected"), (consumer.defer, "pending")):
        payload = await answer(image_id)
        assert (refusal_code(payload), payload["member"]["status"]) == ("ok", status.upper())
        assert await statuses(cloud, image_id) == {consumer_id: status}

    assert refusal_code(await producer.revoke(image_id, consumer_id)) == "ok"
    assert await statuses(cloud, image_id) == {}


async def test_each_tenant_of_an_offer_has_its_own_outcome(front: Front, cloud: Cloud) -> None:
    image_id, consumer_id, second = await cloud.image(), cloud.projects["consumer"], cloud.projects["second"]
    producer = await front.user("producer")
    async with cloud.images("producer") as images:
        await images.post(f"/images/{image_id}/members", json={"member": consumer_id})

    payload = await producer.offer(image_id, second, consumer_id, producer.id, "not a project", second)

    assert [row["tenant"]["id"] for row in payload["members"]] == [second]
    told = {(error["path"][-1], error["code"], error["tenantId"]) for error in payload["errors"]}
    assert told == {
        ("1", "CONFLICT", consumer_id),
        ("2", "BAD_USER_INPUT", producer.id),
        ("3", "BAD_USER_INPUT", "not a project"),
        ("4", "CONFLICT", second),
    }


async def test_an_image_that_was_made_a_moment_ago_can_be_offered_and_answered(front: Front, cloud: Cloud) -> None:
    image_id, consumer_id = await cloud.image(), cloud.projects["consumer"]
    async with cloud.images("producer") as images:
        await images.post(f"/images/{image_id}/members", json={"member": consumer_id})

    assert refusal_code(await (await front.user("consumer")).accept(image_id)) == "ok"
    assert await statuses(cloud, image_id) == {consumer_id: "accepted"}


@pytest.mark.parametrize(
    ("user", "code"),
    [("consumer", "FORBIDDEN"), ("stranger", "NOT_FOUND"), ("producer-reader", "FORBIDDEN"), ("admin", "FORBIDDEN")],
)
async def test_who_does_not_own_an_image_does_not_offer_it(front: Front, cloud: Cloud, user: str, code: str) -> None:
    image_id, producer = await cloud.image(), await front.user("producer")
    await producer.offer(image_id, cloud.projects["consumer"])

    assert refusal_code(await (await front.user(user)).offer(image_id, cloud.projects["second"])) == code
    assert set(await statuses(cloud, image_id)) == {cloud.projects["consumer"]}


async def test_a_private_image_takes_no_offers(front: Front, cloud: Cloud) -> None:
    image_id = await cloud.image(visibility="private")

    assert refusal_code(await (await front.user("producer")).offer(image_id, cloud.projects["consumer"])) == "FORBIDDEN"


async def test_an_owner_updates_and_deletes_an_image(front: Front, cloud: Cloud) -> None:
    image_id, producer = await cloud.image(), await front.user("producer")

    payload = await producer.update(image_id, name="renamed", tags=["b", "a"], visibility="PRIVATE", hidden=True)
    assert refusal_code(payload) == "ok", payload
    async with cloud.images("producer") as images:
        image = (await images.get(f"/images/{image_id}")).json()
    assert (image["name"], sorted(image["tags"]), image["visibility"]) == ("renamed", ["a", "b"], "private")
    assert image["os_hidden"]

    assert refusal_code(await producer.update(image_id, protected=True)) == "ok"
    assert refusal_code(await producer.delete(image_id)) == "FORBIDDEN"
    assert refusal_code(await producer.update(image_id, protected=False)) == "ok"
    assert refusal_code(await producer.delete(image_id)) == "ok"
    async with cloud.images("producer") as images:
        assert (await images.get(f"/images/{image_id}")).status_code == 404


async def test_what_glance_sets_itself_is_forbidden(front: Front, cloud: Cloud) -> None:
    image_id, producer = await cloud.image(), await front.user("producer")

    for change in ({"sizeBytes": 5}, {"status": "SAVING"}, {"checksum": "x"}):
        assert refusal_code(await producer.update(image_id, **change)) == "FORBIDDEN"
    assert (
        refusal_code(await producer.do("registerImage", name="x", origin="IMPORT", sourceUrl="https://a.b/c"))
        == "FORBIDDEN"
    )


async def test_the_same_idempotency_key_tells_the_outcome_and_sends_nothing(front: Front, cloud: Cloud) -> None:
    image_id, consumer_id, producer = await cloud.image(), cloud.projects["consumer"], await front.user("producer")
    offer = {"imageId": image_id, "tenantIds": [consumer_id], "idempotencyKey": image_id}

    first = await producer.do("offerImage", **offer)
    again = await producer.do("offerImage", **offer)

    assert again == first
    assert refusal_code(first) == "ok"
