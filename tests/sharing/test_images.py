"""Registering, changing and deleting images."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.harness import operations
from tests.harness.gateway import IMAGE, Gateway, refusal_code
from tests.harness.scenario import fresh_id, make_scenario

SNAPSHOT = {"name": "db", "origin": "SNAPSHOT", "serverId": "srv-1"}


async def test_an_image_has_its_origin(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())

    snapshot = (await owner.do("registerImage", **SNAPSHOT))["image"]
    imported = (await owner.do("registerImage", **IMAGE))["image"]

    assert (snapshot["origin"], snapshot["serverId"], snapshot["sourceUrl"]) == ("SNAPSHOT", "srv-1", None)
    assert (imported["origin"], imported["serverId"], imported["sourceUrl"]) == ("IMPORT", None, IMAGE["sourceUrl"])


async def test_a_new_image_is_shared_active_and_without_members(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())

    image = (await owner.do("registerImage", **IMAGE))["image"]

    assert (image["visibility"], image["status"], image["owner"]) == ("SHARED", "ACTIVE", {"id": owner.id})
    assert image["createdAt"] == image["updatedAt"]
    assert image["createdAt"].endswith("Z")
    stranger = shared_gateway.tenant(fresh_id())
    assert (await stranger.get(operations.IMAGE, id=image["id"]))["image"] is None


MALFORMED: list[tuple[dict[str, Any], list[str]]] = [
    ({"serverId": "srv-1"}, ["input", "serverId"]),
    ({"origin": "SNAPSHOT", "sourceUrl": None}, ["input", "serverId"]),
    ({"sourceUrl": None}, ["input", "sourceUrl"]),
    ({"sourceUrl": "ftp://example.org/a"}, ["input", "sourceUrl"]),
    ({"sourceUrl": "https://user:secret@example.org/a"}, ["input", "sourceUrl"]),
    ({"sourceUrl": "https:///a"}, ["input", "sourceUrl"]),
    ({"sourceUrl": "https://example.org:99999/a"}, ["input", "sourceUrl"]),
    ({"sourceUrl": "https://[::1/a"}, ["input", "sourceUrl"]),
    ({"sourceUrl": "https://example.org/" + "a" * 2048}, ["input", "sourceUrl"]),
    ({"name": ""}, ["input", "name"]),
    ({"name": "a" * 256}, ["input", "name"]),
    ({"name": "nul \0"}, ["input", "name"]),
    ({"name": "escape \x1b"}, ["input", "name"]),
    ({"name": "lone \ud800"}, ["input", "name"]),
    ({"tags": ["a"] * 2}, ["input", "tags", "1"]),
    ({"tags": [str(n) for n in range(51)]}, ["input", "tags"]),
    ({"tags": ["ok", "a\nb"]}, ["input", "tags", "1"]),
    ({"minDiskGb": -1}, ["input", "minDiskGb"]),
    ({"minRamMb": -1}, ["input", "minRamMb"]),
    ({"checksum": ""}, ["input", "checksum"]),
    ({"status": "DEACTIVATED"}, ["input", "status"]),
    ({"status": "IMPORTING"}, ["input", "status"]),
    ({"idempotencyKey": ""}, ["input", "idempotencyKey"]),
]


@pytest.mark.parametrize(("changes", "path"), MALFORMED)
async def test_malformed_input_is_refused_with_its_path_and_registers_nothing(
    shared_gateway: Gateway, changes: dict[str, Any], path: list[str]
) -> None:
    owner = shared_gateway.tenant(fresh_id())

    payload = await owner.do("registerImage", **{**IMAGE, **changes})

    assert (payload["image"], refusal_code(payload)) == (None, "BAD_USER_INPUT")
    assert payload["errors"][0]["path"] == path
    assert (await owner.get("{ viewer { images { totalCount } } }"))["viewer"]["images"]["totalCount"] == 0


@pytest.mark.parametrize("size", [-1, 2**53, 1.5, True, "1"])
async def test_a_byte_count_is_an_integer_that_every_client_reads_exactly(shared_gateway: Gateway, size: Any) -> None:
    owner = shared_gateway.tenant(fresh_id())

    answer = await owner.execute(operations.MUTATIONS["registerImage"], input={**IMAGE, "sizeBytes": size})

    assert answer.code == "BAD_USER_INPUT"
    assert (await owner.do("registerImage", **IMAGE, sizeBytes=2**53 - 1))["image"]["sizeBytes"] == 2**53 - 1


async def test_an_absent_field_is_unchanged_and_null_clears_an_optional_one(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())
    image = await owner.register(checksum="sha256:1", tags=["a"], osType="LINUX", sizeBytes=5, minDiskGb=7)

    changed = (await owner.update(image, checksum=None, tags=None, osType=None))["image"]

    assert (changed["checksum"], changed["tags"], changed["osType"]) == (None, [], None)
    assert (changed["sizeBytes"], changed["minDiskGb"], changed["name"]) == (5, 7, "ubuntu")
    stored = (await owner.get(operations.IMAGE, id=image))["image"]
    assert changed == {name: stored[name] for name in changed}


@pytest.mark.parametrize("field", ["name", "status", "visibility", "minDiskGb", "minRamMb", "protected", "hidden"])
async def test_a_required_field_cannot_be_cleared(shared_gateway: Gateway, field: str) -> None:
    owner = shared_gateway.tenant(fresh_id())

    payload = await owner.update(await owner.register(), **{field: None})

    assert (refusal_code(payload), payload["errors"][0]["path"]) == ("BAD_USER_INPUT", ["input", field])


async def test_a_change_without_effect_leaves_updated_at(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())
    image = (await owner.do("registerImage", **IMAGE))["image"]

    same = (await owner.update(image["id"], name=image["name"]))["image"]
    renamed = (await owner.update(image["id"], name="other"))["image"]

    assert same == image
    assert renamed["updatedAt"] > image["updatedAt"]


@pytest.mark.parametrize("start", ["QUEUED", "SAVING", "ACTIVE", "DEACTIVATED"])
@pytest.mark.parametrize("to", ["QUEUED", "SAVING", "ACTIVE", "DEACTIVATED"])
async def test_an_image_changes_its_state_only_along_allowed_transitions(
    shared_gateway: Gateway, start: str, to: str
) -> None:
    owner, operator = shared_gateway.tenant(fresh_id()), shared_gateway.tenant(fresh_id(), "operator")
    image = await owner.register(status="ACTIVE" if start == "DEACTIVATED" else start)
    if start == "DEACTIVATED":
        await operator.update(image, status="DEACTIVATED")

    by_owner = refusal_code(await owner.update(image, status=to))
    by_operator = refusal_code(await operator.update(image, status=to))

    assert by_owner == _owner_step(start, to)
    if {start, to} == {"ACTIVE", "DEACTIVATED"}:
        assert by_operator == "ok"


def _owner_step(start: str, to: str) -> str:
    if start == to or (start, to) in (("QUEUED", "SAVING"), ("SAVING", "ACTIVE")):
        return "ok"
    return "FORBIDDEN" if {start, to} == {"ACTIVE", "DEACTIVATED"} else "CONFLICT"


async def test_only_an_operator_makes_an_image_public(shared_gateway: Gateway) -> None:
    owner = shared_gateway.tenant(fresh_id())
    image = await owner.register()

    assert refusal_code(await owner.update(image, visibility="PUBLIC")) == "FORBIDDEN"
    assert refusal_code(await owner.do("registerImage", **IMAGE, visibility="PUBLIC")) == "FORBIDDEN"
    both = shared_gateway.tenant(owner.id, "creator", "operator")
    assert refusal_code(await both.do("registerImage", **IMAGE, visibility="PUBLIC")) == "ok"


async def test_a_protected_image_cannot_be_deleted_but_can_be_shared_and_revoked(
    shared_gateway: Gateway,
) -> None:
    scenario = await make_scenario(shared_gateway, "pending", protected=True)

    assert refusal_code(await scenario.owner.delete(scenario.image)) == "FORBIDDEN"
    assert refusal_code(await scenario.owner.revoke(scenario.image, scenario.consumer.id)) == "ok"
    await scenario.owner.update(scenario.image, protected=False)
    assert (await scenario.owner.delete(scenario.image))["deletedImageId"] == scenario.image
    assert refusal_code(await scenario.owner.delete(scenario.image)) == "NOT_FOUND"


async def test_offers_and_responses_do_not_change_the_image(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    before = await scenario.other.get(operations.IMAGE, id=scenario.image)

    await scenario.owner.offer(scenario.image, scenario.consumer.id)
    await scenario.consumer.accept(scenario.image)
    await scenario.owner.revoke(scenario.image, scenario.consumer.id)

    assert await scenario.other.get(operations.IMAGE, id=scenario.image) == before


@pytest.mark.parametrize("image_id", ["", "nonsense", "nul \0", "123", "A" * 10_000, "٣"])
async def test_a_malformed_id_is_not_found(shared_gateway: Gateway, image_id: str) -> None:
    caller = shared_gateway.tenant(fresh_id())

    assert (await caller.get(operations.IMAGE, id=image_id))["image"] is None
    assert (await caller.get(operations.NODE, id=image_id))["node"] is None
    for payload in (await caller.update(image_id), await caller.delete(image_id), await caller.accept(image_id)):
        assert refusal_code(payload) == "NOT_FOUND"


async def test_a_refusal_points_to_the_argument_that_holds_the_id(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "none")

    for refused in (
        await scenario.stranger.update(scenario.image, name="x"),
        await scenario.stranger.delete(scenario.image),
    ):
        assert refused["errors"][0]["path"] == ["input", "id"]


async def test_an_operator_that_deactivates_an_image_too_early_gets_a_conflict(
    shared_gateway: Gateway,
) -> None:
    scenario = await make_scenario(shared_gateway, "none", status="QUEUED")

    assert refusal_code(await scenario.operator.update(scenario.image, status="DEACTIVATED")) == "CONFLICT"


async def test_updated_at_never_decreases_when_the_clock_does(run_gateway: Any) -> None:
    async with run_gateway() as gateway:
        scenario = await make_scenario(gateway, "pending")
        before = (await scenario.owner.get(operations.IMAGE, id=scenario.image))["image"]
        gateway.services.store.clock = lambda: datetime(2020, 1, 1, tzinfo=UTC)
        await scenario.consumer.accept(scenario.image)
        await scenario.owner.update(scenario.image, name="later")
        after = (await scenario.owner.get(operations.IMAGE, id=scenario.image))["image"]

    assert after["updatedAt"] >= before["updatedAt"]
    assert after["members"]["nodes"][0]["updatedAt"] >= before["members"]["nodes"][0]["updatedAt"]
