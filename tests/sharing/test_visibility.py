"""Visibility: who sees an image that is not shared, and which of its fields."""

import pytest

from tests.harness import operations
from tests.harness.gateway import Gateway, refusal_code
from tests.harness.scenario import make_scenario


async def test_an_inert_row_gives_its_consumer_no_access_and_remains_listed_for_the_owner(
    shared_gateway: Gateway,
) -> None:
    scenario = await make_scenario(shared_gateway, "accepted")
    await scenario.owner.update(scenario.image, visibility="PRIVATE")

    consumer, owner = scenario.consumer, scenario.owner
    assert (await consumer.get(operations.IMAGE, id=scenario.image))["image"] is None
    assert (await consumer.get(operations.NODE, id=scenario.consumer_row))["node"] is None
    assert (await consumer.get(operations.OFFERS, status=None))["offers"]["totalCount"] == 0
    assert (await owner.get(operations.SENT_OFFERS))["sentOffers"]["totalCount"] == 2
    assert (await owner.get(operations.IMAGE, id=scenario.image))["image"]["members"]["totalCount"] == 2


@pytest.mark.parametrize(("visibility", "listed"), [("COMMUNITY", False), ("PUBLIC", True)])
async def test_a_public_or_community_image_is_visible_to_all_without_its_parties(
    shared_gateway: Gateway, visibility: str, listed: bool
) -> None:
    scenario = await make_scenario(shared_gateway, "accepted")
    owner = shared_gateway.tenant(scenario.owner.id, "admin", "operator")
    await owner.update(scenario.image, visibility=visibility)

    for viewer in (scenario.stranger, scenario.consumer):
        image = (await viewer.get(operations.IMAGE, id=scenario.image))["image"]
        assert (image["owner"], image["sourceUrl"], image["serverId"]) == (None, None, None)
        assert (image["viewerMembership"], image["members"]) == (None, {"totalCount": 0, "nodes": []})
        page = (await viewer.get(operations.DEFAULT_IMAGES))["images"]["nodes"]
        assert (scenario.image in [node["id"] for node in page]) is listed
        assert refusal_code(await viewer.offer(scenario.image, "8")) == "FORBIDDEN"
        assert refusal_code(await viewer.accept(scenario.image)) == "NOT_FOUND"
        assert refusal_code(await viewer.revoke(scenario.image, scenario.other.id)) == "NOT_FOUND"
    own = (await scenario.owner.get(operations.IMAGE, id=scenario.image))["image"]
    assert (own["owner"], own["members"]["totalCount"]) == ({"id": scenario.owner.id}, 2)


async def test_the_owner_of_a_public_image_cannot_be_found_by_filtering(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    owner = shared_gateway.tenant(scenario.owner.id, "admin", "operator")
    await owner.update(scenario.image, visibility="PUBLIC")
    query = "query($id: ID!) { images(ownerId: $id) { totalCount nodes { id } } }"

    assert await scenario.stranger.get(query, id=scenario.owner.id) == await scenario.stranger.get(query, id="77")
    assert (await scenario.owner.get(query, id=scenario.owner.id))["images"]["totalCount"] == 1


async def test_a_consumer_finds_the_images_of_a_producer_that_are_shared_to_it(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    await scenario.owner.register(name="not for you")
    query = "query($id: ID!) { image(id: $id) { owner { images { totalCount nodes { id } } } } }"

    owner = (await scenario.consumer.get(query, id=scenario.image))["image"]["owner"]

    assert owner["images"] == {"totalCount": 1, "nodes": [{"id": scenario.image}]}


async def test_a_hidden_image_is_omitted_from_lists_and_visible_by_its_id(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "accepted")
    await scenario.owner.update(scenario.image, hidden=True)
    hidden = "{ images(hidden: true) { nodes { id } } }"

    for viewer in (scenario.owner, scenario.consumer):
        listed = (await viewer.get(operations.DEFAULT_IMAGES))["images"]["nodes"]
        assert {"id": scenario.image} not in listed
        assert (await viewer.get(hidden))["images"]["nodes"] == [{"id": scenario.image}]
        assert (await viewer.get(operations.IMAGE, id=scenario.image))["image"] is not None
    for hidden, nodes in (
        ("", []),
        ("(hidden: true)", [{"id": scenario.image}]),
        ("(hidden: null)", [{"id": scenario.image}]),
    ):
        own = (await scenario.owner.get(f"{{ viewer {{ images{hidden} {{ nodes {{ id }} }} }} }}"))["viewer"]["images"]
        assert own["nodes"] == nodes


@pytest.mark.parametrize("visibility", ["PRIVATE", "COMMUNITY", "PUBLIC"])
async def test_only_a_shared_image_can_be_offered(shared_gateway: Gateway, visibility: str) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    owner = shared_gateway.tenant(scenario.owner.id, "admin", "operator")
    await owner.update(scenario.image, visibility=visibility)

    assert refusal_code(await scenario.owner.offer(scenario.image, scenario.consumer.id)) == "FORBIDDEN"
