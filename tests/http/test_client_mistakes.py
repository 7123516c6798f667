"""A client's mistake is never reported as an internal error: an invalid value is BAD_USER_INPUT."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any, NamedTuple

import graphql
import httpx2
import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLNonNull, get_named_type, is_leaf_type

from app.api.schema import build_schema
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.raw_clients import open_socket
from tests.harness.transports import TRANSPORTS, send_over

SCHEMA: Any = build_schema()._schema
WRONG: list[Any] = [None, 1.5, "no such word", True, [None], {"nothing": 1}, 2**70]


class Place(NamedTuple):
    """A position that accepts a value, and an operation that uses the variable `$v` there."""

    name: str
    type: Any
    query: str


def _literal(type_: Any) -> str:
    if isinstance(type_, GraphQLNonNull):
        return _literal(type_.of_type)
    if isinstance(type_, GraphQLList):
        return f"[{_literal(type_.of_type)}]"
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        return _object(type_, {})
    return {"Int": "1", "Boolean": "true", "ByteCount": "1"}.get(type_.name, '"1"')


def _object(type_: GraphQLInputObjectType, all_arguments: dict[str, str]) -> str:
    needed = {name: _literal(one.type) for name, one in type_.fields.items() if graphql.is_required_input_field(one)}
    return "{" + ", ".join(f"{name}: {value}" for name, value in {**needed, **all_arguments}.items()) + "}"


def _spots(type_: Any, path: str) -> Iterator[tuple[str, Any, str]]:
    """The positions in a value of this type: their path, their type, and the literal that contains the variable."""
    inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    yield path, inner, "$v"
    if isinstance(inner, GraphQLList):
        yield from ((at, of, f"[{text}]") for at, of, text in _spots(inner.of_type, f"{path}[]"))
    if isinstance(inner, GraphQLInputObjectType):
        for name, field in inner.fields.items():
            for at, of, text in _spots(field.type, f"{path}.{name}"):
                yield at, of, _object(inner, {name: text})


def _places(word: str, root: Any, around: str = "%s", below: str = "") -> Iterator[Place]:
    for field_name, field in root.fields.items():
        leaf = "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"
        needed = {name: _literal(one.type) for name, one in field.args.items() if graphql.is_required_argument(one)}
        for argument, definition in field.args.items():
            for at, type_, text in _spots(definition.type, argument):
                all_arguments = {**needed, argument: text}
                arguments = ", ".join(f"{name}: {value}" for name, value in all_arguments.items())
                call = around % f"{field_name}({arguments}) {leaf}"
                yield Place(f"{below}{field_name}.{at}", type_, f"{word}($v: {type_} = {_literal(type_)}) {{ {call} }}")


PLACES = [
    *_places("query", SCHEMA.query_type),
    *_places("query", SCHEMA.type_map["Tenant"], "viewer { %s }", "viewer."),
    *_places("query", SCHEMA.type_map["Image"], "images { nodes { %s } }", "images."),
    *_places("mutation", SCHEMA.mutation_type),
]
WATCHES = list(_places("subscription", SCHEMA.subscription_type))


@pytest.fixture(scope="module")
async def server(databases: Databases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(databases.fresh())) as served:
        await served.gateway.tenant("1").register()
        yield served


def _codes(answer: dict[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in answer.get("errors") or ()}


@pytest.fixture(scope="module")
async def swept(sqlite_databases: Databases) -> AsyncGenerator[InProcessServer]:
    """A server on one engine, since the swept values never reach the store."""
    async with run_in_process(settings_for(sqlite_databases.fresh(), rate_per_tenant=0)) as served:
        yield served


@pytest.fixture(scope="module")
async def client(swept: InProcessServer) -> AsyncGenerator[httpx2.AsyncClient]:
    headers, origin = {"authorization": f"Bearer {swept.token}"}, f"http://127.0.0.1:{swept.port}"
    async with httpx2.AsyncClient(trust_env=False, verify=False, headers=headers, base_url=origin) as client:
        yield client


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
async def test_no_invalid_value_at_any_position_is_an_internal_error(client: httpx2.AsyncClient, place: Place) -> None:
    for value in WRONG:
        reply = await client.post("/graphql", json={"query": place.query, "variables": {"v": value}})

        assert _codes(reply.json()) <= {"BAD_USER_INPUT", "CURSOR_INVALID"}, (value, reply.json())
        assert reply.status_code == 200


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    "query",
    [
        "query($v: Int = 3) { offerEvents(first: $v) { nodes { cursor } } }",
        'query($v: ID = "1") { image(id: $v) { id } }',
        'query($v: ID = "1") { node(id: $v) { id } nodes(ids: [$v]) { id } }',
        "query($v: Boolean = true) { viewer { id @include(if: $v) } }",
        "query($v: MemberStatus = PENDING) { offers(status: [$v]) { nodes { id } } }",
    ],
)
async def test_null_in_place_of_a_default_is_bad_input_over_every_transport(
    server: InProcessServer, transport: str, query: str
) -> None:
    reply = await send_over(server, transport, query, server.token, v=None)

    assert _codes(reply.body) == {"BAD_USER_INPUT"}
    assert "INTERNAL" not in str(reply.body)


ACCEPT = "mutation($v: AcceptOfferInput!) { acceptOffer(input: $v) { member { id } } }"
OFFERS = "query($v: MemberStatus!) { offers(status: [$v]) { totalCount } }"


@pytest.mark.parametrize("transport", [one for one in TRANSPORTS if one != "get"])
@pytest.mark.parametrize(
    ("query", "value", "quoted"),
    [
        (ACCEPT, {"x": None, "y": True, "z": "it's"}, """found: {"x": null, "y": true, "z": "it's"}."""),
        ("query($v: Int) { images(first: $v) { totalCount } }", 'say "so"', r'"say \"so\""'),
        (OFFERS, [None, 1.5], "[null, 1.5]"),
    ],
)
async def test_a_message_quotes_a_value_as_the_json_that_was_sent(
    server: InProcessServer, transport: str, query: str, value: Any, quoted: str
) -> None:
    reply = await send_over(server, transport, query, server.token, v=value)

    assert quoted in reply.body["errors"][0]["message"]


@pytest.mark.parametrize("transport", [one for one in TRANSPORTS if one != "get"])
async def test_a_null_in_a_mutation_changes_nothing_and_is_bad_input(server: InProcessServer, transport: str) -> None:
    before = await server.gateway.tenant("1").get("{ images { totalCount } }")
    query = """mutation($v: Int = 1) { registerImage(input: {name: "n", origin: IMPORT, sourceUrl: "http://a.b/",
      minRamMb: $v}) { image { id } } }"""

    reply = await send_over(server, transport, query, server.token, v=None)

    assert _codes(reply.body) == {"BAD_USER_INPUT"}
    assert await server.gateway.tenant("1").get("{ images { totalCount } }") == before


@pytest.mark.parametrize("place", WATCHES, ids=lambda place: place.name)
async def test_a_watch_that_cannot_start_sends_one_error_and_its_socket_stays_open(
    swept: InProcessServer, place: Place
) -> None:
    async with open_socket(swept) as peer:
        for number, value in enumerate(WRONG):
            await peer.subscribe(place.query, f"{number}", v=value)
            if (first := await peer.receive())["type"] == "error":
                assert _codes({"errors": first["payload"]}) <= {"BAD_USER_INPUT", "CURSOR_INVALID"}, (value, first)
            else:
                await peer.send({"type": "complete", "id": f"{number}"})
        assert await peer.is_alive()


async def test_a_watch_that_cannot_start_sends_one_event_and_then_complete(server: InProcessServer) -> None:
    query = "subscription($v: Boolean = true) { watchOffers(bookmarks: $v) { cursor } }"

    reply = await send_over(server, "events", query, server.token, v=None)

    assert _codes(reply.body) == {"BAD_USER_INPUT"}


@pytest.mark.parametrize("transport", ["events", "websocket"])
async def test_a_watch_whose_fields_depend_on_a_null_sends_one_error(server: InProcessServer, transport: str) -> None:
    query = "subscription($v: Boolean = true) { watchOffers { cursor @include(if: $v) } }"

    reply = await send_over(server, transport, query, server.token, v=None)

    assert _codes(reply.body) == {"BAD_USER_INPUT"}
    assert "data" not in reply.body
