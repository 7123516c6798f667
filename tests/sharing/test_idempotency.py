"""A retry with the same idempotency key (K1)."""

from datetime import timedelta
from typing import Any

import pytest

from app.sharing import outcome
from app.store import database
from tests.harness.gateway import IMAGE, Gateway, refusal_code
from tests.harness.operations import MUTATIONS
from tests.harness.statements import record_statements
from tests.harness.world import World, make_world


async def test_the_same_key_and_input_registers_one_image(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "none")

    first = await world.owner.do("registerImage", **IMAGE, idempotencyKey="k", clientMutationId="a")
    again = await world.owner.do("registerImage", **IMAGE, idempotencyKey="k", clientMutationId="b")

    assert first["image"] == again["image"]
    assert (first["clientMutationId"], again["clientMutationId"]) == ("a", "b")


async def test_an_offer_that_is_sent_again_gives_the_recorded_outcome_with_its_objects_as_of_now(
    shared_gateway: Gateway,
) -> None:
    world = await make_world(shared_gateway, "none")
    tenant_ids = [world.consumer.id, world.other.id, "bad"]
    told = (await shared_gateway.services.feed.head()).seq

    first = await _offer(world, tenant_ids)
    await world.consumer.accept(world.image)
    again = await _offer(world, tenant_ids)

    assert first["errors"] == again["errors"]
    assert [error["code"] for error in again["errors"]] == ["CONFLICT", "BAD_USER_INPUT"]
    assert [member["status"] for member in (*first["members"], *again["members"])] == ["PENDING", "ACCEPTED"]
    assert (await shared_gateway.services.feed.head()).seq == told + 2


async def test_another_input_under_the_same_key_is_refused_and_changes_nothing(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "pending")

    await _offer(world, ["5"])
    other_input = await _offer(world, ["6"])
    other_action = await world.owner.do(
        "revokeMember", imageId=world.image, tenantId=world.consumer.id, idempotencyKey="k"
    )

    for payload in (other_input, other_action):
        assert (refusal_code(payload), payload["errors"][0]["path"]) == ("BAD_USER_INPUT", ["input", "idempotencyKey"])


async def test_a_refusal_is_recorded_too(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "pending")
    refused = await world.consumer.do(
        "revokeMember", imageId=world.image, tenantId=world.consumer.id, idempotencyKey="k"
    )

    again = await world.consumer.do("revokeMember", imageId=world.image, tenantId=world.consumer.id, idempotencyKey="k")

    assert (refusal_code(refused), refused) == ("FORBIDDEN", again)


async def test_an_outcome_that_a_newer_version_recorded_is_left_to_that_version(
    shared_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(shared_gateway, "pending")
    input = {"imageId": world.image, "tenantIds": [world.consumer.id], "idempotencyKey": "k"}
    assert refusal_code(await world.owner.do("offerImage", **input)) == "CONFLICT"
    monkeypatch.delitem(outcome._REFUSALS, "CONFLICT")

    replayed = await world.owner.execute(MUTATIONS["offerImage"], input=input)

    assert replayed.code == "UNAVAILABLE"


@pytest.mark.parametrize("mutation", ["acceptOffer", "revokeMember", "deleteImage", "updateImage"])
async def test_every_mutation_takes_a_key(shared_gateway: Gateway, mutation: str) -> None:
    world = await make_world(shared_gateway, "pending")
    caller = world.consumer if mutation == "acceptOffer" else world.owner
    input: dict[str, Any] = {
        "acceptOffer": {"imageId": world.image},
        "revokeMember": {"imageId": world.image, "tenantId": world.consumer.id},
        "deleteImage": {"id": world.image},
        "updateImage": {"id": world.image, "name": "renamed"},
    }[mutation]

    first = await caller.do(mutation, **input, idempotencyKey="k")
    again = await caller.do(mutation, **input, idempotencyKey="k")

    assert (refusal_code(first), first) == ("ok", again)


async def test_keys_are_private_to_a_tenant(shared_gateway: Gateway) -> None:
    first, second = await make_world(shared_gateway, "none"), await make_world(shared_gateway, "none")

    assert refusal_code(await _offer(first, ["5"])) == "ok"
    assert refusal_code(await _offer(second, ["5"])) == "ok"


async def test_a_key_is_free_again_after_24_hours(shared_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await make_world(shared_gateway, "none")
    await _offer(world, ["5"])
    await world.owner.revoke(world.image, "5")
    replayed = await _offer(world, ["5"])
    later = database.utc_now() + timedelta(hours=24, seconds=1)
    monkeypatch.setattr(shared_gateway.services.store, "clock", lambda: later)
    made = await _offer(world, ["5"])

    assert (replayed["members"], len(made["members"])) == ([], 1)


async def _offer(world: World, tenant_ids: list[str]) -> Any:
    return await world.owner.do("offerImage", imageId=world.image, tenantIds=tenant_ids, idempotencyKey="k")


async def test_a_key_that_is_used_again_clears_no_record_but_its_own(
    shared_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await make_world(shared_gateway, "none"), await make_world(shared_gateway, "none")
    await _offer(first, ["5"])
    later = database.utc_now() + timedelta(hours=24, seconds=1)
    monkeypatch.setattr(shared_gateway.services.store, "clock", lambda: later)
    with record_statements(shared_gateway) as sent:
        await _offer(second, ["5"])

    clearing = [statement for statement in sent if statement.startswith("DELETE FROM recorded_outcome")]
    assert len(clearing) == 1
    assert "tenant_id" in clearing[0]
    assert "idempotency_key" in clearing[0]


async def test_what_one_user_of_a_tenant_may_not_do_is_not_held_against_the_next(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "none")
    observer = shared_gateway.tenant(world.owner.id, "observer")
    input: dict[str, Any] = {"imageId": world.image, "tenantIds": ["5"], "idempotencyKey": "k"}

    assert refusal_code(await observer.do("offerImage", **input)) == "FORBIDDEN"
    assert refusal_code(await world.owner.do("offerImage", **input)) == "ok"


async def test_a_recorded_answer_of_a_membership_that_has_ended_shows_nothing_of_it(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "pending")
    await world.consumer.do("acceptOffer", imageId=world.image, idempotencyKey="k")
    await world.owner.revoke(world.image, world.consumer.id)

    again = await world.consumer.do("acceptOffer", imageId=world.image, idempotencyKey="k")

    assert (again["member"], again["errors"]) == (None, [])
