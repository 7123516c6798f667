"""A numeric ID is exactly the number that was sent: none is converted to floating point."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import orjson
import pytest

from app.web.wire import exact_json
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.scenario import fresh_id
from tests.harness.transports import TRANSPORTS, send_over

BIG = 98765432109876543210
OFFER = """mutation($input: OfferImageInput!) {
  offerImage(input: $input) { members { tenant { id } } errors { code path tenantId } }
}"""
SENT = "query($tenant: ID) { sentOffers(tenantId: $tenant) { nodes { tenant { id } } } }"
TAKES_ID = "query($id: ID!) { image(id: $id) { id } }"
NO_IDS = ["1.0", "1e3", "-0", "-0.0", "1E400", "12345678901234567890.0"]


@pytest.fixture(scope="module")
async def server(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(databases.fresh())) as served:
        yield served


@pytest.mark.parametrize("transport", [one for one in TRANSPORTS if one != "get"])
async def test_an_offer_to_a_large_number_goes_to_exactly_that_tenant(server: InProcessServer, transport: str) -> None:
    owner = fresh_id()
    image = await server.gateway.tenant(owner).register()

    reply = await send_over(
        server, transport, OFFER, server.token_of(owner), input={"imageId": image, "tenantIds": [BIG, BIG + 1]}
    )

    made = reply.body["data"]["offerImage"]
    assert [member["tenant"]["id"] for member in made["members"]] == [str(BIG), str(BIG + 1)]
    assert made["errors"] == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_list_filtered_by_a_large_number_contains_exactly_that_tenant(
    server: InProcessServer, transport: str
) -> None:
    owner = server.gateway.tenant(fresh_id())
    image = await owner.register()
    await owner.offer(image, str(BIG), str(BIG + 1))

    reply = await send_over(server, transport, SENT, server.token_of(owner.id), tenant=BIG)

    assert reply.body["data"] == {"sentOffers": {"nodes": [{"tenant": {"id": str(BIG)}}]}}


@pytest.mark.parametrize("number", NO_IDS)
@pytest.mark.parametrize("way", ["lane", "endpoint", "get"])
async def test_a_number_with_a_fraction_or_an_exponent_is_not_an_id(
    server: InProcessServer, way: str, number: str
) -> None:
    errors = await _posted(server, way, TAKES_ID, f'{{"id": {number}}}')

    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(("digits", "code"), [(400, "BAD_USER_INPUT"), (5_000, "BAD_REQUEST")])
async def test_a_number_of_hundreds_of_digits_is_refused(server: InProcessServer, digits: int, code: str) -> None:
    mutation = "mutation($t: ID!, $i: ID!) { revokeMember(input: {imageId: $i, tenantId: $t}) { errors { code } } }"

    body = b'{"query": "%b", "variables": {"i": "x", "t": %b}}' % (mutation.encode(), b"9" * digits)
    answer = await _post(server, body)

    assert code in answer.text


def test_json_is_parsed_as_by_orjson_except_for_numbers_that_orjson_changes() -> None:
    text = b'{"a": [0, 1, -5, 18446744073709551616, -9223372036854775809, 0.5], "b": "-0 \\u00e9", "c": null}'

    read = exact_json.loads(text)

    assert read == {"a": [0, 1, -5, 2**64, -(2**63) - 1, 0.5], "b": "-0 é", "c": None}
    for broken in (b"[NaN]", b'["\\ud800", 1.5]', b"[1.5" + b"9" * 400 + b"e999,]", b"\xff", b"[1.0]" * 2):
        with pytest.raises(orjson.JSONDecodeError):
            exact_json.loads(broken)
    with pytest.raises(orjson.JSONDecodeError):
        exact_json.loads(b"[" * 1_000 + b"1.0" + b"]" * 1_000)


@pytest.mark.parametrize("way", ["lane", "endpoint", "get"])
async def test_a_lone_surrogate_that_looks_like_a_number_is_refused(server: InProcessServer, way: str) -> None:
    # Without its exponent, the text would be a pair of surrogates.
    answer = await _answer(server, way, TAKES_ID, '{"x": 1e999, "id": "\\ud81e000\\udc00"}')

    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


def test_strings_that_look_like_numbers_remain_strings_next_to_large_numbers() -> None:
    digits = "1" * 400 + 'e999 \\" -0'

    assert exact_json.loads(f'{{"a": 1e999, "b": "{digits}"}}')["b"] == digits.replace("\\", "")
    for broken in ('["\\ud81e000\\udc00", 1e999]', '[1e999, "unterminated', "[1e999, 01]", "[1e999, 1.]", "[0, 01]"):
        with pytest.raises(orjson.JSONDecodeError):
            exact_json.loads(broken)


@pytest.mark.parametrize("value", ["0", "{}", "[]", "1e999", "0.5", '{"a": 0}'])
def test_excessive_values_are_not_traversed(value: str) -> None:
    few, many = (f"[{','.join([value] * number)}]" for number in (2_000, 4 * exact_json.MAX_VALUES + 2))

    assert len(exact_json.loads(few)) == 2_000
    with pytest.raises(orjson.JSONDecodeError, match="more than 5000 values"):
        exact_json.loads(many)


async def _answer(server: InProcessServer, way: str, query: str, variables: str) -> httpx2.Response:
    if way == "get":
        return await _client_get(server, query, variables)
    body = b'{"query": %b, "variables": %b}' % (orjson.dumps(query), variables.encode())
    return await _post(server, body, "?long=way" if way == "endpoint" else "")


async def _posted(server: InProcessServer, way: str, query: str, variables: str) -> list[Any]:
    answer = await _answer(server, way, query, variables)
    return answer.json()["errors"]


async def _post(server: InProcessServer, body: bytes, suffix: str = "") -> httpx2.Response:
    headers = {"authorization": f"Bearer {server.token}", "content-type": "application/json"}
    async with httpx2.AsyncClient(trust_env=False, verify=False, headers=headers) as client:
        return await client.post(server.url.replace("ws", "http", 1) + suffix, content=body)


async def _client_get(server: InProcessServer, query: str, variables: str) -> httpx2.Response:
    headers = {"authorization": f"Bearer {server.token}"}
    async with httpx2.AsyncClient(trust_env=False, verify=False, headers=headers) as client:
        params = {"query": query, "variables": variables}
        return await client.get(server.url.replace("ws", "http", 1), params=params)
