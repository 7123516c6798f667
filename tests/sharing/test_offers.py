"""Offering to many consumers in one call, with an outcome for each."""

from typing import Any

import pytest

from app.errors import BadUserInput
from app.sharing import formats
from tests.harness import operations
from tests.harness.gateway import Gateway, refusal_code
from tests.harness.scenario import fresh_id, make_scenario


async def test_each_consumer_has_its_own_outcome_and_a_refusal_affects_no_other(
    shared_gateway: Gateway,
) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    new = fresh_id()

    payload = await scenario.owner.offer(scenario.image, "not digits", new, scenario.other.id, scenario.owner.id, new)

    assert [member["tenant"]["id"] for member in payload["members"]] == [new]
    refused = [(error["code"], error["tenantId"]) for error in payload["errors"]]
    assert refused == [
        ("BAD_USER_INPUT", "not digits"),
        ("CONFLICT", scenario.other.id),
        ("BAD_USER_INPUT", scenario.owner.id),
        ("CONFLICT", new),
    ]
    assert payload["errors"][0]["path"] == ["input", "tenantIds", "0"]


async def test_a_conflict_includes_the_unchanged_membership(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "rejected")

    payload = await scenario.owner.offer(scenario.image, scenario.consumer.id)

    assert payload["members"] == []
    assert payload["errors"][0]["member"] == {"id": scenario.consumer_row, "status": "REJECTED"}


@pytest.mark.parametrize(
    "tenant_id",
    ["", " ", "1 ", " 1", "abc", "1" * 21, "1\0", "1\n", "-1", "٣", "9b2f4c1e-7d35-4a6b-8c90-1f2e3d4c5b6a", "1e5"],
)
async def test_a_tenant_id_matches_the_pattern_of_the_setting_and_is_not_trimmed(
    shared_gateway: Gateway, tenant_id: str
) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    head_before = (await shared_gateway.services.feed.head()).seq

    answers = [
        refusal_code(await caller.offer(scenario.image, tenant_id)) for caller in (scenario.owner, scenario.stranger)
    ]
    revoked = await scenario.owner.revoke(scenario.image, tenant_id)

    assert [*answers, refusal_code(revoked)] == ["BAD_USER_INPUT"] * 3
    assert (await shared_gateway.services.feed.head()).seq == head_before


@pytest.mark.parametrize("tenant_id", ['a"b', "a\\b", "a\nb", "a\x85b"])
def test_a_tenant_id_never_contains_characters_that_json_escapes(tenant_id: str) -> None:
    with pytest.raises(BadUserInput):
        formats.tenant_id(tenant_id, "(?s:.+)")


@pytest.mark.parametrize("tenant_ids", [[], [str(n) for n in range(1, 102)]])
async def test_an_offer_names_1_to_100_consumers(shared_gateway: Gateway, tenant_ids: list[str]) -> None:
    scenario = await make_scenario(shared_gateway, "none")

    payload = await scenario.owner.offer(scenario.image, *tenant_ids)

    assert (refusal_code(payload), payload["errors"][0]["tenantId"]) == ("BAD_USER_INPUT", None)


async def test_a_refusal_of_the_whole_call_is_a_single_error_without_a_tenant_id(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "none")

    payload = await scenario.stranger.offer(scenario.image, fresh_id(), fresh_id())

    assert [(error["code"], error["tenantId"]) for error in payload["errors"]] == [("NOT_FOUND", None)]


async def test_pending_and_accepted_rows_count_towards_the_quota_and_rejected_ones_do_not(
    shared_gateway: Gateway,
) -> None:
    scenario = await make_scenario(shared_gateway, "rejected")

    payload = await scenario.owner.offer(scenario.image, *(fresh_id() for _ in range(5)))

    assert len(payload["members"]) == 3, "the quota is 4, and one member has accepted"
    assert [error["code"] for error in payload["errors"]] == ["LIMIT_EXCEEDED"] * 2
    assert "maximum is 4" in payload["errors"][0]["message"]
    assert refusal_code(await scenario.consumer.accept(scenario.image)) == "ok", (
        "it is checked when an offer is made, only then"
    )


async def test_a_duplicate_on_a_full_image_is_a_conflict(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    await scenario.owner.offer(scenario.image, *(fresh_id() for _ in range(5)))

    assert refusal_code(await scenario.owner.offer(scenario.image, scenario.consumer.id)) == "CONFLICT"


async def test_a_negative_quota_is_no_limit(run_gateway: Any) -> None:
    async with run_gateway(member_quota=-1) as gateway:
        owner = gateway.tenant("1")
        payload = await owner.offer(await owner.register(), *(str(n) for n in range(100, 200)))

    assert (len(payload["members"]), payload["errors"]) == (100, [])


async def test_changing_one_row_leaves_every_other_row_as_it_is(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    before = await scenario.other.get(operations.OFFERS, status=None)

    await scenario.consumer.accept(scenario.image)
    await scenario.owner.revoke(scenario.image, scenario.consumer.id)

    assert await scenario.other.get(operations.OFFERS, status=None) == before


async def test_every_user_of_the_consumer_tenant_has_the_same_view(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "accepted")
    colleague = shared_gateway.tenant(scenario.consumer.id, "observer")

    for query in (operations.DEFAULT_IMAGES, operations.OFFERS):
        assert await colleague.get(query) == await scenario.consumer.get(query)


async def test_inbox_and_outbox_are_filtered_by_their_own_sides(shared_gateway: Gateway) -> None:
    first, second = await make_scenario(shared_gateway, "pending"), await make_scenario(shared_gateway, "none")
    await second.owner.offer(second.image, first.consumer.id)
    inbox = "query($owner: ID, $image: ID) { offers(ownerId: $owner, imageId: $image) { nodes { image { id } } } }"

    by_owner = await first.consumer.get(inbox, owner=second.owner.id)
    by_image = await first.consumer.get(inbox, image=first.image)
    by_tenant = await first.owner.get(operations.SENT_OFFERS, tenantId=first.consumer.id)

    assert by_owner["offers"]["nodes"] == [{"image": {"id": second.image}}]
    assert by_image["offers"]["nodes"] == [{"image": {"id": first.image}}]
    assert [node["tenant"]["id"] for node in by_tenant["sentOffers"]["nodes"]] == [first.consumer.id]
    assert (await first.consumer.get(inbox, image="nonsense"))["offers"]["nodes"] == []


async def test_a_response_is_not_inflated_by_the_input(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    long = "9" * 300

    offered = await scenario.owner.do("offerImage", imageId=scenario.image, tenantIds=[long, "x" * 255])
    refused = await scenario.owner.do("offerImage", imageId=scenario.image, tenantIds=["5"], clientMutationId=long)

    assert [error["tenantId"] for error in offered["errors"]] == [None, "x" * 255]
    assert offered["errors"][0]["path"] == ["input", "tenantIds", "0"]
    assert (refusal_code(refused), refused["errors"][0]["path"]) == ("BAD_USER_INPUT", ["input", "clientMutationId"])
    assert (refused["members"], refused["clientMutationId"]) == ([], None)


async def test_only_errors_of_offers_have_a_tenant_id(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")

    refused = await scenario.owner.revoke(scenario.image, "not digits")

    assert (refusal_code(refused), refused["errors"][0]["tenantId"]) == ("BAD_USER_INPUT", None)
