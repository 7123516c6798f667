"""Visibility: who sees an image that is not, or no longer, shared; and what they are told of it."""

import pytest

from tests.harness import operations
from tests.harness.gateway import Gateway, refusal_code
from tests.harness.world import make_world


async def test_an_inert_row_gives_its_consumer_nothing_and_stays_listed_to_the_owner(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "accepted")
    await world.owner.update(world.image, visibility="PRIVATE")

    consumer, owner = world.consumer, world.owner
    assert (await consumer.get(operations.IMAGE, id=world.image))["image"] is None
    assert (await consumer.get(operations.NODE, id=world.consumer_row))["node"] is None
    assert (await consumer.get(operations.OFFERS, status=None))["offers"]["totalCount"] == 0
    assert (await owner.get(operations.SENT_OFFERS))["sentOffers"]["totalCount"] == 2
    assert (await owner.get(operations.IMAGE, id=world.image))["image"]["members"]["totalCount"] == 2


@pytest.mark.parametrize(("visibility", "listed"), [("COMMUNITY", False), ("PUBLIC", True)])
async def test_an_open_image_is_seen_by_all_and_tells_strangers_nothing_of_its_parties(
    shared_gateway: Gateway, visibility: str, listed: bool
) -> None:
    world = await make_world(shared_gateway, "accepted")
    owner = shared_gateway.tenant(world.owner.id, "admin", "operator")
    await owner.update(world.image, visibility=visibility)

    for viewer in (world.stranger, world.consumer):
        image = (await viewer.get(operations.IMAGE, id=world.image))["image"]
        assert (image["owner"], image["sourceUrl"], image["serverId"]) == (None, None, None)
        assert (image["viewerMembership"], image["members"]) == (None, {"totalCount": 0, "nodes": []})
        page = (await viewer.get(operations.DEFAULT_IMAGES))["images"]["nodes"]
        assert (world.image in [node["id"] for node in page]) is listed
        assert refusal_code(await viewer.offer(world.image, "8")) == "FORBIDDEN"
        assert refusal_code(await viewer.accept(world.image)) == "NOT_FOUND"
        assert refusal_code(await viewer.revoke(world.image, world.other.id)) == "NOT_FOUND"
    own = (await world.owner.get(operations.IMAGE, id=world.image))["image"]
    assert (own["owner"], own["members"]["totalCount"]) == ({"id": world.owner.id}, 2)


async def test_the_owner_of_a_public_image_can_not_be_found_by_filter(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "none")
    owner = shared_gateway.tenant(world.owner.id, "admin", "operator")
    await owner.update(world.image, visibility="PUBLIC")
    query = "query($id: ID!) { images(ownerId: $id) { totalCount nodes { id } } }"

    assert await world.stranger.get(query, id=world.owner.id) == await world.stranger.get(query, id="77")
    assert (await world.owner.get(query, id=world.owner.id))["images"]["totalCount"] == 1


async def test_a_consumer_finds_the_images_of_a_producer_that_are_shared_to_it(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "pending")
    await world.owner.register(name="not for you")
    query = "query($id: ID!) { image(id: $id) { owner { images { totalCount nodes { id } } } } }"

    owner = (await world.consumer.get(query, id=world.image))["image"]["owner"]

    assert owner["images"] == {"totalCount": 1, "nodes": [{"id": world.image}]}


async def test_a_hidden_image_is_left_out_of_lists_and_seen_by_its_id(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "accepted")
    await world.owner.update(world.image, hidden=True)
    hidden = "{ images(hidden: true) { nodes { id } } }"

    for viewer in (world.owner, world.consumer):
        listed = (await viewer.get(operations.DEFAULT_IMAGES))["images"]["nodes"]
        assert {"id": world.image} not in listed
        assert (await viewer.get(hidden))["images"]["nodes"] == [{"id": world.image}]
        assert (await viewer.get(operations.IMAGE, id=world.image))["image"] is not None
    for hidden, nodes in (
        ("", []),
        ("(hidden: true)", [{"id": world.image}]),
        ("(hidden: null)", [{"id": world.image}]),
    ):
        own = (await world.owner.get(f"{{ viewer {{ images{hidden} {{ nodes {{ id }} }} }} }}"))["viewer"]["images"]
        assert own["nodes"] == nodes


@pytest.mark.parametrize("visibility", ["PRIVATE", "COMMUNITY", "PUBLIC"])
async def test_only_a_shared_image_takes_offers(shared_gateway: Gateway, visibility: str) -> None:
    world = await make_world(shared_gateway, "none")
    owner = shared_gateway.tenant(world.owner.id, "admin", "operator")
    await owner.update(world.image, visibility=visibility)

    assert refusal_code(await world.owner.offer(world.image, world.consumer.id)) == "FORBIDDEN"
