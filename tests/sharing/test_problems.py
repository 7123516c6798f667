"""All problems of an input are reported at once, with the index of list items."""

from typing import Any

from tests.harness.gateway import IMAGE, Gateway, Tenant
from tests.harness.scenario import fresh_id, make_scenario

LONG = "x" * 300


def problems_of(payload: Any) -> list[tuple[str, list[str]]]:
    return sorted((error["code"], error["path"]) for error in payload["errors"])


def bad(*paths: list[str]) -> list[tuple[str, list[str]]]:
    return sorted(("BAD_USER_INPUT", ["input", *path]) for path in paths)


async def everything(tenant: Tenant) -> Any:
    return await tenant.get("{ images(hidden: null) { nodes { name tags updatedAt } } sentOffers { totalCount } }")


async def test_every_problem_of_a_new_image_is_reported_at_once(shared_gateway: Gateway) -> None:
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


async def test_an_origin_with_a_missing_and_a_foreign_field_has_both_reported(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())
    address = {"sourceUrl": "https://images.example/a", "serverId": None}

    payload = await owner.do("registerImage", **{**IMAGE, **address, "origin": "SNAPSHOT"})

    assert problems_of(payload) == bad(["serverId"], ["sourceUrl"])


async def test_every_problem_of_a_change_is_reported_at_once_and_nothing_changes(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())
    image = await owner.register(tags=["kept"])
    before = await everything(owner)

    payload = await owner.update(image, name=None, tags=["a", "\0"], minRamMb=-1, hidden=True, idempotencyKey=LONG)

    assert problems_of(payload) == bad(["name"], ["tags", "1"], ["minRamMb"], ["idempotencyKey"])
    assert await everything(owner) == before


async def test_every_problem_of_an_offer_is_reported_at_once(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    before = await everything(scenario.owner)

    payload = await scenario.owner.do(
        "offerImage",
        imageId=scenario.image,
        tenantIds=[fresh_id(), "x", " 1"],
        idempotencyKey="",
        clientMutationId=LONG,
    )

    places = [["tenantIds", "1"], ["tenantIds", "2"]]
    assert problems_of(payload) == bad(*places, ["idempotencyKey"], ["clientMutationId"])
    assert payload["members"] == []
    assert await everything(scenario.owner) == before


async def test_every_problem_of_the_other_mutations_is_reported_at_once(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    both = {"imageId": scenario.image, "idempotencyKey": "", "clientMutationId": LONG}

    revoked = await scenario.owner.do("revokeMember", **both, tenantId="x")
    answered = [await scenario.consumer.do(f"{deed}Offer", **both) for deed in ("accept", "reject", "defer")]
    deleted = await scenario.owner.do("deleteImage", id=scenario.image, idempotencyKey="", clientMutationId=LONG)

    assert problems_of(revoked) == bad(["tenantId"], ["idempotencyKey"], ["clientMutationId"])
    assert [problems_of(one) for one in [*answered, deleted]] == [bad(["idempotencyKey"], ["clientMutationId"])] * 4


async def test_each_refused_tenant_of_an_offer_is_reported_with_its_index(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    new, more = fresh_id(), [fresh_id() for _ in range(4)]
    tenant_ids = [scenario.owner.id, new, "x", new, scenario.consumer.id, *more]

    payload = await scenario.owner.do("offerImage", imageId=scenario.image, tenantIds=tenant_ids, idempotencyKey="k")
    again = await scenario.owner.do("offerImage", imageId=scenario.image, tenantIds=tenant_ids, idempotencyKey="k")

    codes = {int(error["path"][2]): error["code"] for error in payload["errors"]}
    assert {place: codes[place] for place in (0, 2, 3, 4)} == {
        0: "BAD_USER_INPUT",
        2: "BAD_USER_INPUT",
        3: "CONFLICT",
        4: "CONFLICT",
    }
    assert codes[8] == "LIMIT_EXCEEDED"
    assert all(error["path"][:2] == ["input", "tenantIds"] for error in payload["errors"])
    assert all(error["tenantId"] == tenant_ids[int(error["path"][2])] for error in payload["errors"])
    assert list(codes) == sorted(codes), "they have the order of the input"
    assert again == payload, "a retry tells the same places"


async def test_a_single_problem_is_reported_alone(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())

    assert problems_of(await owner.do("registerImage", **{**IMAGE, "tags": ["a", "a"]})) == bad(["tags", "1"])
