"""Privacy: no response, count, event, ID or statement reveals whether a tenant exists, or what others do."""

import base64
import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from tests.harness import operations
from tests.harness.gateway import IMAGE, Gateway, Tenant, refusal_code
from tests.harness.scenario import fresh_id, make_scenario
from tests.harness.statements import record_statements

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


async def test_a_real_and_an_invented_consumer_are_indistinguishable_throughout_an_offer(
    shared_gateway: Gateway,
) -> None:
    real, invented = shared_gateway.tenant(fresh_id()), fresh_id()
    await real.register()
    owner = shared_gateway.tenant(fresh_id())

    lives = [await _life(shared_gateway, owner, tenant_id) for tenant_id in (real.id, invented)]

    assert lives[0] == lives[1]


async def _life(gateway: Gateway, owner: Tenant, tenant_id: str) -> list[Any]:
    """Everything that an owner can learn about an unresponsive consumer, and the statements for it."""
    image = await owner.register()
    seen: list[Any] = []
    async with owner.watch() as items:
        await anext(items)
        with record_statements(gateway) as sent:
            seen.append(await owner.offer(image, tenant_id))
            seen.append(await owner.offer(image, tenant_id))
            seen.append(await owner.get(operations.IMAGE, id=image))
            seen.append(await owner.get(operations.SENT_OFFERS, tenantId=tenant_id))
            seen.append(await owner.get(operations.NODE, id=tenant_id))
            seen.append(await owner.get(CONSUMER, id=image))
            seen.append(await owner.get("query($t: ID!) { images(ownerId: $t) { totalCount } }", t=tenant_id))
            seen.append(await owner.revoke(image, tenant_id))
            seen.append(await owner.revoke(image, tenant_id))
        seen += [await anext(items), await anext(items)]
    return [_masked(seen, image, tenant_id), sent]


CONSUMER = (
    "query($id: ID!) { image(id: $id) { members { nodes { tenant { id images { totalCount nodes { id } } } } } } }"
)


def _masked(seen: Any, image: str, tenant_id: str) -> str:
    text = json.dumps(seen).replace(image, "IMAGE").replace(f'"{tenant_id}"', '"TENANT"')
    items = re.sub(r'"cursor": "[^"]+"', "CURSOR", text)
    return TIME.sub("TIME", UUID.sub("ID", items))


ENTRIES = {
    "image": operations.IMAGE,
    "node": operations.NODE,
    "nodes": "query($id: ID!) { nodes(ids: [$id]) { id } }",
    "offers": "query($id: ID!) { offers(imageId: $id, status: null) { totalCount nodes { id } } }",
    "sentOffers": "query($id: ID!) { sentOffers(imageId: $id) { totalCount nodes { id } } }",
}
ACTS = {
    "updateImage": {"id": "IMAGE", "name": "x"},
    "deleteImage": {"id": "IMAGE"},
    "offerImage": {"imageId": "IMAGE", "tenantIds": ["5"]},
    "acceptOffer": {"imageId": "IMAGE"},
    "rejectOffer": {"imageId": "IMAGE"},
    "deferOffer": {"imageId": "IMAGE"},
    "revokeMember": {"imageId": "IMAGE", "tenantId": "5"},
}


async def _unseen_images(gateway: Gateway) -> tuple[Tenant, dict[str, str]]:
    """A tenant, and images that it may not know of, for every reason."""
    revoked = await make_scenario(gateway, "revoked")
    viewer = revoked.consumer
    foreign, inert, deleted, full = [await make_scenario(gateway, "none") for _ in range(4)]
    await inert.owner.offer(inert.image, viewer.id)
    await inert.owner.update(inert.image, visibility="PRIVATE")
    await deleted.owner.offer(deleted.image, viewer.id)
    await deleted.owner.delete(deleted.image)
    await full.owner.offer(full.image, *(fresh_id() for _ in range(5)))
    private = await foreign.owner.register(visibility="PRIVATE")
    return viewer, {
        "unknown": str(uuid4()),
        "revoked": revoked.image,
        "foreign": foreign.image,
        "private": private,
        "inert": inert.image,
        "deleted": deleted.image,
        "full": full.image,
        "member of another": foreign.consumer_row,
    }


async def test_unseen_images_are_indistinguishable_in_every_operation(shared_gateway: Gateway) -> None:
    viewer, images = await _unseen_images(shared_gateway)

    for name, query in ENTRIES.items():
        answers = {why: await _execute(shared_gateway, viewer, query, {"id": id_}, id_) for why, id_ in images.items()}
        assert len(set(answers.values())) == 1, (name, answers)
    for name, input in ACTS.items():
        answers = {
            why: await _execute(shared_gateway, viewer, operations.MUTATIONS[name], _input(input, id_), id_)
            for why, id_ in images.items()
        }
        assert len(set(answers.values())) == 1, (name, answers)
        assert "NOT_FOUND" in next(iter(answers.values()))


def _input(input: dict[str, Any], image: str) -> dict[str, Any]:
    return {"input": {name: image if value == "IMAGE" else value for name, value in input.items()}}


async def _execute(gateway: Gateway, viewer: Tenant, query: str, variables: dict[str, Any], id_: str) -> str:
    """The response with the ID masked, and the statements that produced it."""
    with record_statements(gateway) as sent:
        answer = await viewer.execute(query, **variables)
    return json.dumps([answer.data, answer.errors, sent]).replace(id_, "ID")


async def test_format_is_checked_before_visibility_and_visibility_before_rights_and_state(
    shared_gateway: Gateway,
) -> None:
    viewer, images = await _unseen_images(shared_gateway)
    weak = shared_gateway.tenant(viewer.id, "observer")

    for image in images.values():
        malformed = await viewer.offer(image, "not digits")
        assert (refusal_code(malformed), malformed["errors"][0]["tenantId"]) == ("BAD_USER_INPUT", "not digits")
        assert refusal_code(await weak.offer(image, viewer.id)) == "NOT_FOUND"
        assert refusal_code(await weak.do("registerImage", **{**IMAGE, "name": ""})) == "BAD_USER_INPUT"


async def test_without_a_token_not_even_the_input_is_validated(shared_gateway: Gateway) -> None:
    for query in ('{ images(first: -1, ownerId: "x") { totalCount } }', '{ offers(after: "zzz") { totalCount } }'):
        assert (await shared_gateway.anonymous.execute(query)).code == "UNAUTHENTICATED"


async def test_a_consumer_sees_only_its_own_row_and_not_what_others_do(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "accepted")
    queries = [
        (operations.IMAGE, {"id": scenario.image}),
        (operations.DEFAULT_IMAGES, {}),
        (operations.OFFERS, {"status": None}),
        (operations.NODE, {"id": scenario.image}),
    ]
    before = [await scenario.other.get(query, **variables) for query, variables in queries]

    await scenario.consumer.reject(scenario.image)
    await scenario.owner.revoke(scenario.image, scenario.consumer.id)
    await scenario.owner.offer(scenario.image, fresh_id(), scenario.consumer.id)

    assert [await scenario.other.get(query, **variables) for query, variables in queries] == before
    assert before[0]["image"]["members"]["totalCount"] == 1


async def test_a_tenant_is_a_node_only_for_itself(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "accepted")

    assert (await scenario.owner.get(operations.NODE, id=scenario.owner.id))["node"]["id"] == scenario.owner.id
    for viewer in (scenario.consumer, scenario.stranger, scenario.operator):
        assert (await viewer.get(operations.NODE, id=scenario.owner.id))["node"] is None
        assert (await viewer.get(operations.NODE, id=fresh_id()))["node"] is None


async def test_ids_and_cursors_reveal_no_counts_and_no_tenants(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "accepted")
    query = "{ offers(status: null) { edges { cursor node { id image { id } } } } images { edges { cursor } } }"

    data = await scenario.consumer.get(query)
    async with scenario.consumer.watch() as items:
        sealed = (await anext(items))["cursor"]

    for cursor in [edge["cursor"] for name in ("offers", "images") for edge in data[name]["edges"]]:
        moment, id_ = base64.urlsafe_b64decode(cursor + "==").decode().split(" ")
        assert re.fullmatch(r"[\d-]+T[\d:.]+\+00:00", moment)
        assert UUID.fullmatch(id_)
    seq = (await shared_gateway.services.feed.head()).seq
    unsealed = base64.urlsafe_b64decode(sealed + "==")
    for secret in (scenario.consumer.id.encode(), scenario.owner.id.encode(), seq.to_bytes(8, "big")):
        assert secret not in unsealed


async def test_cursors_of_adjacent_positions_have_nothing_in_common(shared_gateway: Gateway) -> None:
    viewer = shared_gateway.tenant("1").caller
    assert viewer is not None
    seal = shared_gateway.services.feed.seal

    raw = [base64.urlsafe_b64decode(seal.close(seq, viewer) + "==") for seq in range(200)]

    for one, next_one in pairwise(raw):
        assert sum(a == b for a, b in zip(one, next_one, strict=True)) < 10


async def test_a_list_cursor_of_one_viewer_reveals_nothing_to_another(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "accepted")
    cursor = (await scenario.owner.get("{ images { edges { cursor } } }"))["images"]["edges"][0]["cursor"]

    page = await scenario.stranger.get("query($c: String!) { images(before: $c) { nodes { id } } }", c=cursor)

    assert scenario.image not in json.dumps(page)


async def test_the_owner_learns_about_a_member_only_what_the_schema_lists(shared_gateway: Gateway) -> None:
    fields = shared_gateway.schema._schema.type_map["Member"].fields  # type: ignore[attr-defined]
    tenant = shared_gateway.schema._schema.type_map["Tenant"].fields  # type: ignore[attr-defined]

    assert set(fields) == {"id", "tenant", "status", "createdAt", "updatedAt", "image"}
    assert set(tenant) == {"id", "images"}


async def test_failed_probes_are_logged_for_operators_and_in_no_response(
    shared_gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = await make_scenario(shared_gateway, "none")

    await scenario.stranger.offer(scenario.image, "5")

    logged = capsys.readouterr().out
    assert all(fact in logged for fact in ("refused", "NOT_FOUND", scenario.stranger.id, scenario.image))


async def test_two_bookmarks_do_not_reveal_whether_anything_happened_between_them(
    run_gateway: Callable[..., AbstractAsyncContextManager[Gateway]],
) -> None:
    async with run_gateway(bookmark_seconds=0.05) as gateway, gateway.tenant("1").watch() as items:
        cursors = [(await anext(items))["cursor"] for _ in range(4)]

    assert len(set(cursors)) == 4
