"""Glance's refusals and lost answers, when the mirror does not know what others have just done."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.cloud.cloud import Cloud
from tests.cloud.gateway import settings_before
from tests.cloud.users import Front
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import Tenant, refusal_code, start_gateway
from tests.harness.operations import MUTATIONS

pytestmark = pytest.mark.cloud
SECONDS = 60.0


class LosingFront(Front):
    """A gateway that hears of nothing by itself, and whose calls to Glance can be answered to nobody."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        upstream: Any = self.gateway.services.upstream
        service = upstream._front.images._service
        self.sent: list[str] = []
        self.loses = False
        send = service._sent

        async def lose(request: httpx2.Request) -> Any:
            answer = await send(request)
            if request.method != "GET":
                self.sent.append(request.method)
                if self.loses:
                    raise httpx2.ReadError("the connection is lost")
            return answer

        service._sent = lose

    def let_calls_end(self) -> None:
        """No call can be on its way any more."""
        store = self.gateway.services.store
        later = store.clock() + timedelta(seconds=2 * SECONDS)
        store.clock = lambda: later

    async def lose(self, user: Tenant, mutation: str, **input: Any) -> dict[str, Any]:
        """Send a mutation whose answer is lost, and later again with the same key. Returns its outcome."""
        self.loses, self.sent = True, []
        input["idempotencyKey"] = uuid4().hex
        assert (await user.execute(MUTATIONS[mutation], input=input)).code == "UNAVAILABLE"
        assert (await user.execute(MUTATIONS[mutation], input=input)).code == "UNAVAILABLE"  # it may be on its way
        self.let_calls_end()
        outcome = await user.do(mutation, **input)
        self.loses = False
        assert len(self.sent) == 1
        return outcome


@pytest.fixture(scope="module")
async def front(cloud: Cloud, sqlite_databases: SqliteDatabases) -> AsyncGenerator[LosingFront]:
    deaf = {"upstream_poll_seconds": 1_000, "upstream_sweep_rate": 0, "upstream_seconds": SECONDS}
    async with start_gateway(settings_before(cloud, sqlite_databases.fresh(), **deaf)) as gateway:
        yield LosingFront(cloud, gateway)


async def known_image(front: LosingFront, *tenants: str) -> str:
    """A new image that the gateway knows, offered to these tenants."""
    image_id, producer = await front.cloud.image(), await front.user("producer")
    assert refusal_code(await producer.offer(image_id, *(tenants or (uuid4().hex,)))) == "ok"
    return image_id


async def test_an_offer_to_a_hundred_tenants_answers_each_by_itself(front: LosingFront, cloud: Cloud) -> None:
    standing, producer = uuid4().hex, await front.user("producer")
    image_id = await known_image(front, standing)
    tenants = [standing, *(uuid4().hex for _ in range(99))]

    first = await producer.offer(image_id, *tenants)
    assert [row["tenant"]["id"] for row in first["members"]] == tenants[1:]
    assert [(one["code"], one["tenantId"]) for one in first["errors"]] == [("CONFLICT", standing)]

    # Glance's quota is 128, and two of its workers may count at the same time.
    second = await producer.offer(image_id, *(uuid4().hex for _ in range(100)))
    assert {one["code"] for one in second["errors"]} == {"LIMIT_EXCEEDED"}
    assert len(second["members"]) + len(second["errors"]) == 100
    assert 28 <= len(second["members"]) < 28 + 8


async def test_glances_answers_to_what_others_have_changed_meanwhile(front: LosingFront, cloud: Cloud) -> None:
    consumer_id, producer = cloud.projects["consumer"], await front.user("producer")
    offered, private, deleted, removed = [await known_image(front, consumer_id) for _ in range(4)]
    late = cloud.projects["second"]
    async with cloud.images("producer") as images:
        await images.post(f"/images/{offered}/members", json={"member": late})
        patch = [{"op": "replace", "path": "/visibility", "value": "private"}]
        headers = {"content-type": "application/openstack-images-v2.1-json-patch"}
        (await images.patch(f"/images/{private}", json=patch, headers=headers)).raise_for_status()
        (await images.delete(f"/images/{deleted}")).raise_for_status()
        (await images.delete(f"/images/{removed}/members/{consumer_id}")).raise_for_status()

    [conflict] = (await producer.offer(offered, late))["errors"]
    assert (conflict["code"], conflict["member"]["status"]) == ("CONFLICT", "PENDING")
    [forbidden] = (await producer.offer(private, late))["errors"]
    assert (forbidden["code"], forbidden["message"][:7]) == ("FORBIDDEN", "Glance:")
    assert refusal_code(await producer.update(deleted, name="x")) == "NOT_FOUND"
    assert refusal_code(await (await front.user("consumer")).accept(removed)) == "NOT_FOUND"
    again = await known_image(front, consumer_id)
    assert [refusal_code(await producer.revoke(again, consumer_id)) for _ in range(2)] == ["ok", "NOT_FOUND"]
    assert refusal_code(await producer.offer(again, consumer_id)) == "ok"


async def test_an_operator_alone_deactivates_and_reactivates(front: LosingFront, cloud: Cloud) -> None:
    image_id, operator = await known_image(front), await front.user("admin")
    async with cloud.images("producer") as images:
        content = {"content-type": "application/octet-stream"}
        await images.put(f"/images/{image_id}/file", content=b"data", headers=content)
    await front.user("producer")

    for user, status, code in (("producer", "DEACTIVATED", "FORBIDDEN"), ("admin", "DEACTIVATED", "ok")):
        payload = await (await front.user(user)).update(image_id, status=status)
        assert refusal_code(payload) == code, payload
    payload = await operator.update(image_id, status="ACTIVE")
    assert (refusal_code(payload), payload["image"]["status"]) == ("ok", "ACTIVE")


async def test_a_change_whose_answer_is_lost_is_told_by_its_key_and_sent_once(front: LosingFront, cloud: Cloud) -> None:
    producer, consumer, image_id = await front.user("producer"), await front.user("consumer"), await known_image(front)
    rest = {"imageId": image_id}

    offered = await front.lose(producer, "offerImage", **rest, tenantIds=[consumer.id])
    assert [row["status"] for row in offered["members"]] == ["PENDING"]
    accepted = await front.lose(consumer, "acceptOffer", **rest)
    assert accepted["member"]["status"] == "ACCEPTED"
    revoked = await front.lose(producer, "revokeMember", **rest, tenantId=consumer.id)
    assert revoked["revokedMemberId"] == offered["members"][0]["id"]
    updated = await front.lose(producer, "updateImage", id=image_id, name="renamed", tags=["b", "a"])
    assert refusal_code(updated) == "ok", updated
    deleted = await front.lose(producer, "deleteImage", id=image_id)
    assert deleted["deletedImageId"] == image_id
