"""Retries with the same idempotency key."""

from datetime import timedelta
from typing import Any

import pytest

from app.sharing import outcome
from app.store import database
from tests.harness.gateway import IMAGE, Gateway, refusal_code
from tests.harness.operations import MUTATIONS
from tests.harness.scenario import Scenario, make_scenario
from tests.harness.statements import record_statements


async def test_the_same_key_and_input_registers_one_image(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "none")

    first = await scenario.owner.do("registerImage", **IMAGE, idempotencyKey="k", clientMutationId="a")
    again = await scenario.owner.do("registerImage", **IMAGE, idempotencyKey="k", clientMutationId="b")

    assert first["image"] == again["image"]
    assert (first["clientMutationId"], again["clientMutationId"]) == ("a", "b")


async def test_a_retried_offer_returns_the_recorded_outcome_with_current_objects(
    shared_gateway: Gateway,
) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    tenant_ids = [scenario.consumer.id, scenario.other.id, "bad"]
    logged = (await shared_gateway.services.feed.head()).seq

    first = await _offer(scenario, tenant_ids)
    await scenario.consumer.accept(scenario.image)
    again = await _offer(scenario, tenant_ids)

    assert first["errors"] == again["errors"]
    assert [error["code"] for error in again["errors"]] == ["CONFLICT", "BAD_USER_INPUT"]
    assert [member["status"] for member in (*first["members"], *again["members"])] == ["PENDING", "ACCEPTED"]
    assert (await shared_gateway.services.feed.head()).seq == logged + 2


async def test_another_input_under_the_same_key_is_refused_and_changes_nothing(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")

    await _offer(scenario, ["5"])
    other_input = await _offer(scenario, ["6"])
    other_action = await scenario.owner.do(
        "revokeMember", imageId=scenario.image, tenantId=scenario.consumer.id, idempotencyKey="k"
    )

    for payload in (other_input, other_action):
        assert (refusal_code(payload), payload["errors"][0]["path"]) == ("BAD_USER_INPUT", ["input", "idempotencyKey"])


async def test_a_refusal_is_recorded_too(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    refused = await scenario.consumer.do(
        "revokeMember", imageId=scenario.image, tenantId=scenario.consumer.id, idempotencyKey="k"
    )

    again = await scenario.consumer.do(
        "revokeMember", imageId=scenario.image, tenantId=scenario.consumer.id, idempotencyKey="k"
    )

    assert (refusal_code(refused), refused) == ("FORBIDDEN", again)


async def test_an_outcome_recorded_by_a_newer_version_is_not_interpreted(
    shared_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    input = {"imageId": scenario.image, "tenantIds": [scenario.consumer.id], "idempotencyKey": "k"}
    assert refusal_code(await scenario.owner.do("offerImage", **input)) == "CONFLICT"
    monkeypatch.delitem(outcome._REFUSALS, "CONFLICT")

    replayed = await scenario.owner.execute(MUTATIONS["offerImage"], input=input)

    assert replayed.code == "UNAVAILABLE"


@pytest.mark.parametrize("mutation", ["acceptOffer", "revokeMember", "deleteImage", "updateImage"])
async def test_every_mutation_accepts_a_key(shared_gateway: Gateway, mutation: str) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    caller = scenario.consumer if mutation == "acceptOffer" else scenario.owner
    input: dict[str, Any] = {
        "acceptOffer": {"imageId": scenario.image},
        "revokeMember": {"imageId": scenario.image, "tenantId": scenario.consumer.id},
        "deleteImage": {"id": scenario.image},
        "updateImage": {"id": scenario.image, "name": "renamed"},
    }[mutation]

    first = await caller.do(mutation, **input, idempotencyKey="k")
    again = await caller.do(mutation, **input, idempotencyKey="k")

    assert (refusal_code(first), first) == ("ok", again)


async def test_keys_are_private_to_a_tenant(shared_gateway: Gateway) -> None:
    first, second = await make_scenario(shared_gateway, "none"), await make_scenario(shared_gateway, "none")

    assert refusal_code(await _offer(first, ["5"])) == "ok"
    assert refusal_code(await _offer(second, ["5"])) == "ok"


async def test_a_key_can_be_reused_after_24_hours(shared_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    await _offer(scenario, ["5"])
    await scenario.owner.revoke(scenario.image, "5")
    replayed = await _offer(scenario, ["5"])
    later = database.utc_now() + timedelta(hours=24, seconds=1)
    monkeypatch.setattr(shared_gateway.services.store, "clock", lambda: later)
    made = await _offer(scenario, ["5"])

    assert (replayed["members"], len(made["members"])) == ([], 1)


async def _offer(scenario: Scenario, tenant_ids: list[str]) -> Any:
    return await scenario.owner.do("offerImage", imageId=scenario.image, tenantIds=tenant_ids, idempotencyKey="k")


async def test_reusing_a_key_clears_only_its_own_record(
    shared_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await make_scenario(shared_gateway, "none"), await make_scenario(shared_gateway, "none")
    await _offer(first, ["5"])
    later = database.utc_now() + timedelta(hours=24, seconds=1)
    monkeypatch.setattr(shared_gateway.services.store, "clock", lambda: later)
    with record_statements(shared_gateway) as sent:
        await _offer(second, ["5"])

    clearing = [statement for statement in sent if statement.startswith("DELETE FROM recorded_outcome")]
    assert len(clearing) == 1
    assert "tenant_id" in clearing[0]
    assert "idempotency_key" in clearing[0]


async def test_a_refusal_for_lack_of_rights_is_not_recorded_for_other_users_of_the_tenant(
    shared_gateway: Gateway,
) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    observer = shared_gateway.tenant(scenario.owner.id, "observer")
    input: dict[str, Any] = {"imageId": scenario.image, "tenantIds": ["5"], "idempotencyKey": "k"}

    assert refusal_code(await observer.do("offerImage", **input)) == "FORBIDDEN"
    assert refusal_code(await scenario.owner.do("offerImage", **input)) == "ok"


async def test_a_recorded_outcome_of_an_ended_membership_reveals_nothing_of_it(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    await scenario.consumer.do("acceptOffer", imageId=scenario.image, idempotencyKey="k")
    await scenario.owner.revoke(scenario.image, scenario.consumer.id)

    again = await scenario.consumer.do("acceptOffer", imageId=scenario.image, idempotencyKey="k")

    assert (again["member"], again["errors"]) == (None, [])
