"""GraphQL over HTTP: accepted requests, and the format of their responses."""

import json
from collections.abc import Iterator

import pytest

from tests.harness.scenario import fresh_id
from tests.harness.server import Server, error_code

JSON, RESPONSE_JSON = "application/json", "application/graphql-response+json"
METHODS = "GET, HEAD, OPTIONS, POST"
REFUSED_DOCUMENTS = {
    "GRAPHQL_PARSE_FAILED": "{ viewer {",
    "GRAPHQL_VALIDATION_FAILED": "{ nobodyHasThisField }",
    "BAD_USER_INPUT": "query($id: ID!) { node(id: $id) { id } }",
}


def test_a_query_is_executed_by_post_and_by_get(server: Server) -> None:
    tenant = fresh_id()
    token = server.token(tenant)
    answers = [ask("{ viewer { id } }", token) for ask in (server.post, server.get)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json() for answer in answers] == [{"data": {"viewer": {"id": tenant}}}] * 2
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


def test_a_token_of_the_command_line_is_valid(server: Server) -> None:
    tenant = fresh_id()
    assert server.data("{ viewer { id } }", server.command_line_token(tenant)) == {"viewer": {"id": tenant}}


def test_get_accepts_variables_and_an_operation_name(server: Server) -> None:
    document = "query A { __typename } query B($yes: Boolean!) { b: __typename @include(if: $yes) }"
    parameters = {"query": document, "operationName": "B", "variables": '{"yes": true}'}
    assert server.client.get("/graphql", params=parameters).json() == {"data": {"b": "Query"}}


def test_a_mutation_by_get_is_refused_and_changes_nothing(server: Server) -> None:
    token = server.token(fresh_id())
    image_id = server.register(token)
    document = f'mutation {{ deleteImage(input: {{id: "{image_id}"}}) {{ deletedImageId }} }}'
    refused = server.get(document, token)
    assert (refused.status_code, error_code(refused)) == (405, "BAD_REQUEST")
    assert server.data("{ images { totalCount } }", token) == {"images": {"totalCount": 1}}


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_subscription_over_plain_http_is_referred_to_the_websocket(server: Server, method: str) -> None:
    refused = getattr(server, method)("subscription { watchOffers { cursor } }", server.token(fresh_id()))
    assert (refused.status_code, error_code(refused)) == (400, "BAD_REQUEST")
    assert "WebSocket" in refused.text


@pytest.mark.parametrize("path", ["/graphql", "/graphql?long=way"], ids=["lane", "endpoint"])
def test_an_accept_header_that_is_slow_to_parse_is_refused(server: Server, path: str) -> None:
    slow = 'a/b;x="' + ";" * 1_000
    lines = [("accept", "*/*"), ("accept", slow), ("content-type", JSON)]
    refused = server.client.post(path, content='{"query": "{ __typename }"}', headers=lines)
    assert (refused.status_code, error_code(refused)) == (400, "BAD_REQUEST")
    assert "longer than 1000 characters" in refused.text


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("*/*", JSON),
        (JSON, JSON),
        (RESPONSE_JSON, RESPONSE_JSON),
        (f"{RESPONSE_JSON}, {JSON};q=0.9", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0.5, {JSON}", JSON),
        ("application/*", JSON),
        (f"text/html, {JSON}", JSON),
        (f'{JSON};profile="a,b"', JSON),
        (f'text/html;title="a, \\" b", {RESPONSE_JSON}', RESPONSE_JSON),
    ],
)
def test_the_response_has_the_media_type_that_the_client_prefers(server: Server, accept: str, answered: str) -> None:
    for ask in (server.post, server.get):
        assert ask("{ __typename }", accept=accept).headers["content-type"] == f"{answered}; charset=utf-8"


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (RESPONSE_JSON, 400)])
@pytest.mark.parametrize("code", REFUSED_DOCUMENTS)
def test_a_refused_document_has_no_data_and_the_status_of_its_media_type(
    server: Server, code: str, accept: str, status: int
) -> None:
    answer = server.post(REFUSED_DOCUMENTS[code], server.token(fresh_id()), accept)
    assert (answer.status_code, error_code(answer)) == (status, code)
    assert "data" not in answer.json()


@pytest.mark.parametrize("accept", [JSON, RESPONSE_JSON])
def test_a_partial_error_has_status_200(server: Server, accept: str) -> None:
    answer = server.post("{ __typename image(id: 1) { id } }", accept=accept)
    assert (answer.status_code, error_code(answer)) == (200, "UNAUTHENTICATED")
    assert answer.json()["data"] == {"__typename": "Query", "image": None}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
def test_other_methods_get_405_with_the_allowed_ones(server: Server, method: str) -> None:
    refused = server.client.request(method, "/graphql")
    assert (refused.status_code, refused.headers["allow"], error_code(refused)) == (405, METHODS, "BAD_REQUEST")


def test_options_lists_the_allowed_methods(server: Server) -> None:
    described = server.client.options("/graphql")
    assert (described.status_code, described.headers["allow"], described.content) == (204, METHODS, b"")


def test_head_is_get_without_a_body_and_opens_no_event_stream(server: Server) -> None:
    query = {"query": "{ __typename }"}
    looked = server.client.head("/graphql", params=query)
    length = str(len(server.client.get("/graphql", params=query).content))
    assert (looked.status_code, looked.headers["content-length"], looked.content) == (200, length, b"")
    assert server.client.head("/graphql", params=query, headers={"accept": "text/event-stream"}).status_code == 406


@pytest.mark.parametrize(("accept", "status"), [("text/html", 406), ("nonsense", 400)])
def test_an_accept_header_that_cannot_be_satisfied_is_refused(server: Server, accept: str, status: int) -> None:
    refused = server.post("{ __typename }", accept=accept)
    assert (refused.status_code, error_code(refused)) == (status, "BAD_REQUEST")


@pytest.mark.parametrize("name", ["variables", "extensions"])
def test_a_parameter_of_get_that_is_not_json_is_named(server: Server, name: str) -> None:
    refused = server.client.get("/graphql", params={"query": "{ __typename }", name: "{"})
    message = refused.json()["errors"][0]["message"]
    assert (refused.status_code, error_code(refused)) == (400, "BAD_REQUEST")
    assert f"`{name}`" in message
    assert "body" not in message


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_is_not_declared_as_json_is_refused(server: Server, content_type: str) -> None:
    body = json.dumps({"query": "{ __typename }"})
    refused = server.client.post("/graphql", content=body, headers={"content-type": content_type})
    assert (refused.status_code, error_code(refused)) == (415, "BAD_REQUEST")


def test_a_body_with_a_too_large_content_length_is_refused(server: Server) -> None:
    refused = server.client.post("/graphql", content=b" " * 20_001, headers={"content-type": JSON})
    assert (refused.status_code, error_code(refused)) == (413, "BAD_REQUEST")


def test_a_chunked_body_that_is_too_large_is_refused(server: Server) -> None:
    chunks: Iterator[bytes] = (b" " * 5_000 for _ in range(5))
    refused = server.client.post("/graphql", content=chunks, headers={"content-type": JSON})
    assert (refused.status_code, error_code(refused)) == (413, "BAD_REQUEST")


def test_a_body_of_exactly_the_allowed_size_is_accepted(server: Server) -> None:
    body = json.dumps({"query": "{ __typename }"}).encode().ljust(20_000)
    assert server.client.post("/graphql", content=body, headers={"content-type": JSON}).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_needs_no_token(server: Server, path: str) -> None:
    answer = server.client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_request_reads_what_another_wrote(server: Server) -> None:
    token = server.token(fresh_id())
    image_id = server.register(token)
    assert server.data("{ images { nodes { id } } }", token) == {"images": {"nodes": [{"id": image_id}]}}
