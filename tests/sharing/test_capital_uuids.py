"""UUIDs are case-insensitive in every argument, and in lower case in every response."""

from collections.abc import AsyncGenerator, Callable

import pytest

from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, refusal_code, settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.scenario import Scenario, make_scenario
from tests.harness.transports import TRANSPORTS, send_over

READS = """query($image: ID!, $member: ID!, $ids: [ID!]!) {
  image(id: $image) { id } node(id: $image) { id } other: node(id: $member) { id } nodes(ids: $ids) { id }
  sentOffers(imageId: $image) { nodes { id } }
}"""
INBOX = "query($image: ID!) { offers(imageId: $image, status: null) { nodes { image { id } } } }"
LOG = "query($image: ID!) { offerEvents(filter: {imageId: $image}) { nodes { imageId kind } } }"
SPELLINGS: list[Callable[[str], str]] = [str.upper, str.title]


@pytest.fixture(scope="module")
async def server(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(databases.fresh())) as served:
        yield served


@pytest.mark.parametrize("spelt", SPELLINGS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_object_is_found_by_its_id_in_any_case(
    server: InProcessServer, transport: str, spelt: Callable[[str], str]
) -> None:
    scenario = await make_scenario(server.gateway, "pending")
    image, member = spelt(scenario.image), spelt(scenario.consumer_row)

    owners = await send_over(
        server, transport, READS, server.token_of(scenario.owner.id), image=image, member=member, ids=[member, image]
    )
    inbox = await send_over(server, transport, INBOX, server.token_of(scenario.consumer.id), image=image)
    log = await send_over(server, transport, LOG, server.token_of(scenario.consumer.id), image=image)

    here, row = {"id": scenario.image}, {"id": scenario.consumer_row}
    data = owners.body["data"]
    assert (data["image"], data["node"], data["other"], data["nodes"]) == (here, here, row, [row, here])
    assert row in data["sentOffers"]["nodes"]
    assert inbox.body["data"]["offers"]["nodes"] == [{"image": here}]
    assert {"imageId": scenario.image, "kind": "OFFERED"} in log.body["data"]["offerEvents"]["nodes"]


async def test_an_id_literal_in_the_document_is_case_insensitive_too(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")

    found = await scenario.consumer.get(f'{{ image(id: "{scenario.image.upper()}") {{ id }} }}')

    assert found == {"image": {"id": scenario.image}}


async def test_every_mutation_accepts_an_id_in_capitals(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    owner, consumer, loud = scenario.owner, scenario.consumer, scenario.image.upper()

    done = [
        await owner.offer(loud, consumer.id),
        *[await act(loud) for act in (consumer.accept, consumer.reject, consumer.defer)],
        await owner.update(loud, name="renamed"),
        await owner.revoke(loud, consumer.id),
        await owner.delete(loud),
    ]

    assert [refusal_code(payload) for payload in done] == ["ok"] * 7
    assert done[4]["image"]["id"] == done[6]["deletedImageId"] == scenario.image


async def test_a_retry_with_the_id_in_another_case_is_the_same_request(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    first, again = [
        await scenario.owner.do("offerImage", imageId=spelt, tenantIds=[scenario.consumer.id], idempotencyKey="k")
        for spelt in (scenario.image, scenario.image.upper())
    ]

    assert again == first


@pytest.mark.parametrize("query", ["watchOffers", "watchImages"])
async def test_a_watch_of_an_image_in_capitals_resumes_in_lower_case(shared_gateway: Gateway, query: str) -> None:
    scenario = await make_scenario(shared_gateway, "none")
    kind = "OfferWatchFilter" if query == "watchOffers" else "ImageWatchFilter"
    text = f"""subscription($after: Cursor, $filter: {kind}) {{ {query}(after: $after, filter: $filter) {{ cursor
      ... on MemberStatusChanged {{ imageId }} ... on ImageChanged {{ imageId }} }} }}"""

    async with scenario.consumer.watch(query=text, filter={"imageId": scenario.image.upper()}) as items:
        bookmark = await anext(items)
        await scenario.owner.offer(scenario.image, scenario.consumer.id)
        first = await anext(items)
    async with scenario.consumer.watch(
        query=text, filter={"imageId": scenario.image}, after=bookmark["cursor"]
    ) as items:
        resumed = await anext(items)

    assert first["imageId"] == resumed["imageId"] == scenario.image


@pytest.mark.parametrize("odd", ["{%s}", "urn:uuid:%s", " %s", "%s\n"])
async def test_other_uuid_formats_are_not_ids(shared_gateway: Gateway, odd: str) -> None:
    scenario: Scenario = await make_scenario(shared_gateway, "pending")

    found = await scenario.consumer.get("query($id: ID!) { image(id: $id) { id } }", id=odd % scenario.image.upper())

    assert found == {"image": None}
