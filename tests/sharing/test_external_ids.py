"""External IDs: an owner finds its images by the IDs of its own catalogue, and nobody learns those of others."""

from typing import Any

from tests.harness.gateway import IMAGE, Gateway, Tenant, refusal_code
from tests.harness.scenario import fresh_id, make_scenario
from tests.harness.statements import record_statements

FIND = "query($id: ID!) { images(externalId: $id) { totalCount nodes { id externalId } } }"


async def found(viewer: Tenant, external_id: str) -> list[str]:
    return [node["id"] for node in (await viewer.get(FIND, id=external_id))["images"]["nodes"]]


async def test_an_external_id_is_unique_for_its_owner_alone_and_can_be_moved(shared_gateway: Gateway) -> None:
    owner, other = (shared_gateway.tenant(fresh_id()) for _ in range(2))
    first, second = await owner.register(externalId="sku-1"), await owner.register()
    theirs = await other.register(externalId="sku-1")

    taken = await owner.do("registerImage", **IMAGE, externalId="sku-1")
    moved_too_early = await owner.update(second, externalId="sku-1")
    unchanged = await owner.update(first, externalId="sku-1", name="new")
    cleared = await owner.update(first, externalId=None)
    moved = await owner.update(second, externalId="sku-1")

    for payload in (taken, moved_too_early):
        assert refusal_code(payload) == "CONFLICT"
        assert payload["errors"][0]["path"] == ["input", "externalId"]
    assert [payload["image"]["externalId"] for payload in (unchanged, cleared, moved)] == ["sku-1", None, "sku-1"]
    assert (await found(owner, "sku-1"), await found(other, "sku-1")) == ([second], [theirs])
    for malformed in ("", "x" * 256, "a\nb"):
        assert refusal_code(await owner.update(first, externalId=malformed)) == "BAD_USER_INPUT"


async def test_only_parties_see_an_external_id_and_find_an_image_by_it(shared_gateway: Gateway) -> None:
    external = fresh_id()
    scenario = await make_scenario(shared_gateway, "accepted", externalId=external)
    public = await make_scenario(shared_gateway, "accepted", externalId=external)
    await shared_gateway.tenant(public.owner.id, "admin", "operator").update(public.image, visibility="PUBLIC")

    sights: dict[str, Any] = {}
    for name in ("owner", "consumer", "stranger"):
        with record_statements(shared_gateway) as sent:
            sights[name] = await found(scenario.caller(name), external), [*sent]
    assert (sights["owner"][0], sights["consumer"][0]) == ([scenario.image], [scenario.image])
    # Whoever uses it elsewhere, a stranger gets the answer and sends the statements of an ID that nobody has.
    with record_statements(shared_gateway) as sent:
        assert (
            (await found(scenario.stranger, "nobody's"), [*sent]) == sights["stranger"] == ([], sights["stranger"][1])
        )
    assert await found(public.owner, external) == [public.image]
    assert set(await found(scenario.operator, external)) == {scenario.image, public.image}
    query = "query($id: ID!) { image(id: $id) { externalId } }"
    assert (await scenario.stranger.get(query, id=public.image))["image"] == {"externalId": None}
    assert (await scenario.consumer.get(query, id=scenario.image))["image"] == {"externalId": external}
