"""The checks of graphql-cop and graphql-armor that other tests don't cover."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from tests.harness.server import Server, bearer, error_code, run_server
from tests.harness.sockets import connect_socket

RESPONSE_JSON = "application/graphql-response+json"
OVERLOADS: dict[str, tuple[str, set[str]]] = {
    "aliases": ("{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }", {"QUERY_TOO_COMPLEX"}),
    "aliases of one name": ("{ " + "a: __typename " * 500 + "}", {"QUERY_TOO_COMPLEX"}),
    "fields of one name": ("{ viewer { " + "id " * 500 + "} }", {"QUERY_TOO_COMPLEX"}),
    "unknown directives": ("{ __typename " + "@aa" * 500 + " }", {"GRAPHQL_VALIDATION_FAILED"}),
    "known directives": ("{ __typename " + "@skip(if: false) " * 300 + "}", {"GRAPHQL_VALIDATION_FAILED"}),
    "introspection in a circle": (
        "{ __schema { types { " + "fields { type { " * 9 + "name" + " } }" * 9 + " } } }",
        {"QUERY_TOO_COMPLEX", "GRAPHQL_VALIDATION_FAILED"},
    ),
    "fragments in a circle": ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", set()),
    "deferred parts": ("{ ... @defer { __typename } }", {"GRAPHQL_VALIDATION_FAILED"}),
    "operations": (" ".join(f"query Q{n} {{ __typename }}" for n in range(500)), {"BAD_REQUEST"}),
    "variables": ("query(" + "".join(f"$v{n}: ID " for n in range(400)) + ") { __typename }", set()),
}
# Each is misspelt by one letter, for which GraphQL would suggest a correction.
MISSPELT: dict[str, tuple[str, dict[str, Any]]] = {
    "a field": ("{ viewe { id } }", {}),
    "a field below": ("{ viewer { imges { totalCount } } }", {}),
    "an argument": ("{ images(firs: 1) { totalCount } }", {}),
    "a type": ("{ ...a } fragment a on Quer { __typename }", {}),
    "a type of a variable": ("query($a: OfferWatchFilte) { __typename }", {}),
    "an enum value": ("{ offers(status: [PENDIN]) { totalCount } }", {}),
    "an enum value in a variable": (
        "query($s: [MemberStatus!]) { offers(status: $s) { totalCount } }",
        {"s": ["PENDIN"]},
    ),
    "an enum value in a variable of a watch": (
        "subscription($r: OfferRole) { watchOffers(filter: {role: $r}) { cursor } }",
        {"r": "CONSUME"},
    ),
    "a key of an input": ("mutation { acceptOffer(input: {imageI: 1}) { clientMutationId } }", {}),
    "a key of an input in a variable": (
        "mutation($i: AcceptOfferInput!) { acceptOffer(input: $i) { clientMutationId } }",
        {"i": {"imageId": "1", "clientMutationI": "x"}},
    ),
    "a directive": ("{ __typename @skp(if: true) }", {}),
    "a fragment": ("{ ...Abcde } fragment Abcdf on Query { __typename }", {}),
}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    with run_server(tmp_path_factory.mktemp("closed"), introspection=False, ide=False) as server:
        yield server


@pytest.mark.parametrize("kind", OVERLOADS)
def test_an_expensive_document_gets_a_short_refusal(server: Server, kind: str) -> None:
    document, codes = OVERLOADS[kind]
    refused = server.post(document, server.token("1"), RESPONSE_JSON)
    assert refused.status_code == 400
    assert error_code(refused) in (codes or {"GRAPHQL_VALIDATION_FAILED", "QUERY_TOO_COMPLEX"})
    assert len(refused.content) < 40_000


@pytest.mark.parametrize("kind", MISSPELT)
async def test_without_introspection_no_transport_suggests_corrections(closed: Server, kind: str) -> None:
    document, variables = MISSPELT[kind]
    token = closed.token("1")
    answer = closed.post(document, token, **variables)
    assert answer.json()["errors"]
    assert "Did you mean" not in answer.text
    async with connect_socket(closed, token) as peer:
        (told,) = await peer.run(document, **variables)
        assert told["type"] == "error"
        assert "Did you mean" not in json.dumps(told)


@pytest.mark.parametrize("header", ["x-apollo-tracing", "apollo-federation-include-trace", "x-debug"])
def test_no_header_makes_the_gateway_reveal_internals(server: Server, header: str) -> None:
    answer = server.client.post("/graphql", json={"query": "{ viewer { id } nope }"}, headers={header: "1"})
    assert "Traceback" not in answer.text
    for hidden in ("tracing", "stacktrace", "exception", "ftv1", "debug"):
        assert hidden not in json.dumps(answer.json().get("extensions", {}))
        assert all(hidden not in error["extensions"] for error in answer.json()["errors"])


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "application/graphql"],
)
def test_a_form_on_another_page_cannot_change_anything(server: Server, content_type: str) -> None:
    token = server.token("4711")
    body = "query=mutation{registerImage(input:{name:%22x%22,origin:IMPORT}){clientMutationId}}"
    refused = server.client.post("/graphql", content=body, headers={"content-type": content_type, **bearer(token)})
    assert (refused.status_code, error_code(refused)) == (415, "BAD_REQUEST")
    assert server.data("{ images { totalCount } }", token) == {"images": {"totalCount": 0}}


def test_cookies_do_not_authenticate(server: Server) -> None:
    token = server.token("1")
    answer = server.client.get(
        "/graphql", params={"query": "{ viewer { id } }"}, headers={"cookie": f"authorization=Bearer {token}"}
    )
    assert error_code(answer) == "UNAUTHENTICATED"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/graphiql", "/playground", "/console", "/altair", "/voyager", "/graphql/console"])
def test_no_other_page_is_served_to_browsers(server: Server, path: str) -> None:
    assert server.client.get(path, headers={"accept": "text/html"}).status_code == 404
