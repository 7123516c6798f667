"""The limit on the size of a response: checked before anything is read where possible, else before anything is sent."""

import json
from collections.abc import AsyncGenerator
from typing import NamedTuple

import httpx2
import pytest

from app.api.schema import build_schema
from app.settings import Settings
from tests.harness import old_images
from tests.harness.databases import Databases
from tests.harness.gateway import IMAGE, Gateway, settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.raw_clients import open_socket
from tests.harness.transports import TRANSPORTS, send_over

MOST_BYTES = 1_000_000
LIMITED = build_schema(Settings()).documents
TAGS = " ".join(f"a{n}: tags" for n in range(30))
OF_IMAGE = f"{{ image {{ {TAGS} }} }}"
HUNDRED = '"1",' * 100
LONG_NAME = "x" * 60_000
KEYS = " ".join(f"k{n}{'y' * 2_000}: id" for n in range(20))
GREEDY = {
    "pages": "{" + " ".join(f"a{n}: images(first: 100) {{ nodes {{ tags }} }}" for n in range(20)) + "}",
    "aliases": f"{{ images(first: 100) {{ nodes {{ {TAGS} }} }} }}",
    "one image for each member": "{ image(id: 1) { members(first: 100) { nodes { image { members(first: 100) { nodes "
    "{ image { tags } } } } } } } }",
    "addresses": "{ images(first: 100) { nodes { members(first: 20) { nodes { image { sourceUrl } } } } } }",
    "one ID again and again": f"query($i: [ID!]! = [{HUNDRED}]) {{ nodes(ids: $i) {{ ... on Image {{ {TAGS} }} }} }}",
    "a long response name": f"{{ images(first: 100) {{ nodes {{ members {{ nodes {{ {LONG_NAME}: id }} }} }} }} }}",
    "long response names": f"{{ images(first: 100) {{ nodes {{ members(first: 50) {{ nodes {{ {KEYS} }} }} }} }} }}",
    "a payload": f'mutation {{ offerImage(input: {{imageId: "1", tenantIds: [{HUNDRED}]}}) {{ members {OF_IMAGE} }} }}',
    "a watch": "subscription { watchOffers { ... on MemberStatusChanged { member { image { members(first: 100) { "
    f"nodes {OF_IMAGE} }} }} }} }} }} }}",
}  # fmt: skip


@pytest.mark.parametrize("name", GREEDY)
def test_an_operation_whose_response_may_be_too_large_is_refused_before_reading(name: str) -> None:
    [refusal] = LIMITED.errors(GREEDY[name], None, {})

    assert refusal.extensions == {"code": "QUERY_TOO_COMPLEX"}
    assert "Ask for less at a time" in refusal.message


def test_the_refusal_gives_the_possible_size_of_the_response() -> None:
    generous = build_schema(Settings(max_cost=10**9)).documents
    [refusal] = generous.errors(GREEDY["aliases"], None, {})

    assert "bytes, and the limit is 8000000." in refusal.message


class OversizedImages(NamedTuple):
    server: InProcessServer
    old: list[str]
    offered: str


@pytest.fixture(scope="module")
async def oversized(databases: Databases) -> AsyncGenerator[OversizedImages]:
    """A gateway on a store with 40 old images of tenant 1, the last of which has 30 members."""
    url = databases.fresh()
    with old_images.open_transaction(url) as connection:
        old = old_images.insert_images(connection, "1", 40)
    async with run_in_process(settings_for(url, max_response_bytes=MOST_BYTES)) as server:
        await server.gateway.tenant("1").offer(old[-1], *map(str, range(100, 130)))
        yield OversizedImages(server, old, old[-1])


PLANNED = "query($n: Int!) { images(first: $n) { nodes { tags } } }"
EXECUTED = PLANNED.replace("{", "{ __schema { queryType { name } }", 1)


@pytest.mark.parametrize("query", [PLANNED, EXECUTED], ids=["planned", "executed"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_response_that_turns_out_too_large_becomes_a_single_error(
    oversized: OversizedImages, transport: str, query: str
) -> None:
    reply = await send_over(oversized.server, transport, query, oversized.server.token, n=40)
    small = await send_over(oversized.server, transport, query, oversized.server.token, n=10)

    assert (reply.code, reply.kind) == ("QUERY_TOO_COMPLEX", "error" if transport == "websocket" else "next")
    assert "data" not in reply.body
    assert f"more than {MOST_BYTES} bytes" in reply.body["errors"][0]["message"]
    assert small.body["data"]["images"]["nodes"] == [{"tags": old_images.TAGS}] * 10


@pytest.mark.parametrize("query", [PLANNED, EXECUTED], ids=["planned", "executed"])
async def test_a_too_large_response_gets_400_where_the_media_type_allows_it(
    oversized: OversizedImages, query: str
) -> None:
    headers = {"authorization": f"Bearer {oversized.server.token}", "accept": "application/graphql-response+json"}
    async with httpx2.AsyncClient(trust_env=False, verify=False, headers=headers) as client:
        url = f"http://127.0.0.1:{oversized.server.port}/graphql"
        response = await client.post(url, json={"query": query, "variables": {"n": 40}})

    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"


OFFER = """mutation($input: OfferImageInput!) {
  offerImage(input: $input) { members { image { tags } } errors { code } }
}"""
TWICE = OFFER.replace("offerImage", "a: offerImage").replace("} }\n}", "} }\n  b: __typename }")


@pytest.mark.parametrize("mutation", [OFFER, TWICE], ids=["rendered", "executed"])
@pytest.mark.parametrize("transport", [one for one in TRANSPORTS if one != "get"])
async def test_a_mutation_whose_payload_is_too_large_is_executed_and_says_so(
    oversized: OversizedImages, transport: str, mutation: str
) -> None:
    owner = oversized.server.gateway.tenant("1")
    image = oversized.old[TRANSPORTS.index(transport) + 10 * (mutation is TWICE)]

    input = {"imageId": image, "tenantIds": list(map(str, range(100, 130)))}
    reply = await send_over(oversized.server, transport, mutation, oversized.server.token, input=input)
    sent = await owner.get("query($i: ID!) { sentOffers(imageId: $i) { totalCount } }", i=image)

    assert (reply.code, reply.body["data"], reply.kind) == ("QUERY_TOO_COMPLEX", None, "next")
    assert reply.body["errors"][0]["message"].startswith("The mutation was carried out")
    assert sent == {"sentOffers": {"totalCount": 30}}


WATCH = """subscription { watchOffers { __typename cursor ... on MemberStatusChanged {
  imageId member { image { members(first: 30) { nodes { image { tags } } } } }
} } }"""


async def test_a_too_large_item_becomes_an_error_with_its_cursor_and_the_watch_continues(
    oversized: OversizedImages,
) -> None:
    owner = oversized.server.gateway.tenant("1")
    new = await owner.register(tags=["new"])

    async with open_socket(oversized.server) as peer:
        await peer.subscribe(WATCH)
        assert (await peer.next_item())["__typename"] == "WatchBookmark"
        await owner.revoke(oversized.offered, "129")
        await owner.offer(oversized.offered, "129")
        await owner.offer(new, "2")
        [_, large, small] = [(await peer.receive())["payload"] for _ in range(3)]

    assert (large["data"], large["errors"][0]["path"]) == (None, ["watchOffers"])
    assert large["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert small["data"]["watchOffers"]["imageId"] == new
    after = "query($after: Cursor) { offerEvents(after: $after) { nodes { imageId } } }"
    behind = await owner.get(after, after=large["extensions"]["cursor"])
    assert behind["offerEvents"]["nodes"] == [{"imageId": new}]


@pytest.mark.parametrize(
    ("tags", "is_taken"),
    [
        (["x" * 255] * 1 + [f"{n:02}" + "x" * 253 for n in range(15)], True),
        ([f"{n:02}" + "x" * 253 for n in range(17)], False),
        ([f"{n:02}" + "\N{PILE OF POO}" * 100 for n in range(10)], True),
        ([f"{n:02}" + "\N{PILE OF POO}" * 100 for n in range(11)], False),
    ],
)
@pytest.mark.parametrize("mutation", ["registerImage", "updateImage"])
async def test_the_tags_of_an_image_have_a_total_size_limit(
    gateway: Gateway, mutation: str, tags: list[str], is_taken: bool
) -> None:
    owner = gateway.tenant("1")
    of = {"id": await owner.register()} if mutation == "updateImage" else IMAGE

    payload = await owner.do(mutation, **{**of, "tags": tags})

    assert [error["path"] for error in payload["errors"]] == ([] if is_taken else [["input", "tags"]])
    assert [error["code"] for error in payload["errors"]] == ([] if is_taken else ["BAD_USER_INPUT"])


async def test_an_older_image_over_the_limit_can_be_read_and_changed(oversized: OversizedImages) -> None:
    owner = oversized.server.gateway.tenant("1")

    changed = (await owner.update(oversized.old[0], name="renamed"))["image"]

    assert (changed["name"], changed["tags"]) == ("renamed", old_images.TAGS)


ODD = ["ünï", 'q"', "\\", "\N{PILE OF POO}", "tab-free", "a\u00adb"]


@pytest.mark.parametrize("query", [PLANNED, EXECUTED], ids=["planned", "executed"])
async def test_tags_are_sent_as_utf_8_without_escapes(databases: Databases, query: str) -> None:
    async with run_in_process(settings_for(databases.fresh())) as server:
        await server.gateway.tenant("1").register(tags=ODD)
        headers = {"authorization": f"Bearer {server.token}"}
        async with httpx2.AsyncClient(trust_env=False, verify=False, headers=headers) as client:
            url = f"http://127.0.0.1:{server.port}/graphql"
            response = await client.post(url, json={"query": query, "variables": {"n": 1}})

    assert f'"tags":{json.dumps(ODD, ensure_ascii=False, separators=(",", ":"))}'.encode() in response.content
