"""A form is told all that is wrong with it at once, and of a list which item it is."""

from typing import Any

from tests.harness.gateway import IMAGE, Gateway, Tenant
from tests.harness.world import fresh_id, make_world

LONG = "x" * 300


def problems_of(payload: Any) -> list[tuple[str, list[str]]]:
    return sorted((error["code"], error["path"]) for error in payload["errors"])


def bad(*paths: list[str]) -> list[tuple[str, list[str]]]:
    return sorted(("BAD_USER_INPUT", ["input", *path]) for path in paths)


async def everything(tenant: Tenant) -> Any:
    return await tenant.get("{ images(hidden: null) { nodes { name tags updatedAt } } sentOffers { totalCount } }")


async def test_every_mistake_of_a_new_image_is_told_at_once(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())
    wrong: dict[str, Any] = {
        "name": "",
        "origin": "IMPORT",
        "sourceUrl": "ftp://x",
        "serverId": "s",
        "checksum": "",
        "tags": ["ok", "a", "a", "", "b\n", "a"],
        "minDiskGb": -1,
        "minRamMb": -5,
        "status": "DEACTIVATED",
        "idempotencyKey": "",
        "clientMutationId": LONG,
    }

    payload = await owner.do("registerImage", **wrong)

    names = ("name", "sourceUrl", "serverId", "checksum", "minDiskGb", "minRamMb", "status")
    items = [["tags", "2"], ["tags", "3"], ["tags", "4"], ["tags", "5"]]
    assert problems_of(payload) == bad(*([name] for name in names), *items, ["idempotencyKey"], ["clientMutationId"])
    assert (await everything(owner))["images"]["nodes"] == []


async def test_an_origin_that_lacks_its_field_and_has_the_other_ones_is_told_both(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())
    address = {"sourceUrl": "https://images.example/a", "serverId": None}

    payload = await owner.do("registerImage", **{**IMAGE, **address, "origin": "SNAPSHOT"})

    assert problems_of(payload) == bad(["serverId"], ["sourceUrl"])


async def test_every_mistake_of_a_change_is_told_at_once_and_nothing_changes(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())
    image = await owner.register(tags=["kept"])
    before = await everything(owner)

    payload = await owner.update(image, name=None, tags=["a", "\0"], minRamMb=-1, hidden=True, idempotencyKey=LONG)

    assert problems_of(payload) == bad(["name"], ["tags", "1"], ["minRamMb"], ["idempotencyKey"])
    assert await everything(owner) == before


async def test_every_mistake_of_an_offer_is_told_at_once(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "none")
    before = await everything(world.owner)

    payload = await world.owner.do(
        "offerImage",
        imageId=world.image,
        tenantIds=[fresh_id(), "x", " 1"],
        idempotencyKey="",
        clientMutationId=LONG,
    )

    places = [["tenantIds", "1"], ["tenantIds", "2"]]
    assert problems_of(payload) == bad(*places, ["idempotencyKey"], ["clientMutationId"])
    assert payload["members"] == []
    assert await everything(world.owner) == before


async def test_every_mistake_of_the_other_mutations_is_told_at_once(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "pending")
    both = {"imageId": world.image, "idempotencyKey": "", "clientMutationId": LONG}

    revoked = await world.owner.do("revokeMember", **both, tenantId="x")
    answered = [await world.consumer.do(f"{deed}Offer", **both) for deed in ("accept", "reject", "defer")]
    deleted = await world.owner.do("deleteImage", id=world.image, idempotencyKey="", clientMutationId=LONG)

    assert problems_of(revoked) == bad(["tenantId"], ["idempotencyKey"], ["clientMutationId"])
    assert [problems_of(one) for one in [*answered, deleted]] == [bad(["idempotencyKey"], ["clientMutationId"])] * 4


async def test_each_refused_tenant_of_an_offer_is_told_by_its_place_in_the_list(shared_gateway: Gateway) -> None:
    world = await make_world(shared_gateway, "pending")
    new, more = fresh_id(), [fresh_id() for _ in range(4)]
    asked = [world.owner.id, new, "x", new, world.consumer.id, *more]

    payload = await world.owner.do("offerImage", imageId=world.image, tenantIds=asked, idempotencyKey="k")
    again = await world.owner.do("offerImage", imageId=world.image, tenantIds=asked, idempotencyKey="k")

    codes = {int(error["path"][2]): error["code"] for error in payload["errors"]}
    assert {place: codes[place] for place in (0, 2, 3, 4)} == {
        0: "BAD_USER_INPUT",
        2: "BAD_USER_INPUT",
        3: "CONFLICT",
        4: "CONFLICT",
    }
    assert codes[8] == "LIMIT_EXCEEDED"
    assert all(error["path"][:2] == ["input", "tenantIds"] for error in payload["errors"])
    assert all(error["tenantId"] == asked[int(error["path"][2])] for error in payload["errors"])
    assert list(codes) == sorted(codes), "they have the order of the input"
    assert again == payload, "a retry tells the same places"


async def test_a_single_mistake_is_told_alone(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())

    assert problems_of(await owner.do("registerImage", **{**IMAGE, "tags": ["a", "a"]})) == bad(["tags", "1"])
