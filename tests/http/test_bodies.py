"""Malformed bodies: each gets a clear error, and never a 500."""

import json

import pytest

from tests.harness.server import Server, error_code, first_error

RESPONSE_JSON = "application/graphql-response+json"
JSON = {"content-type": "application/json"}
NINES = "9" * 5_000

NOT_REQUESTS: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{query",
    "not UTF-8": b'{"query": "\xff"}',
    "half a character": b'{"query": "{ image(id: \\"\\ud800\\") { id } }"}',
    "a number": b"1",
    "null": b"null",
    "a string": b'"{ __typename }"',
    "an empty batch": b"[]",
    "a batch": b'[{"query": "{ __typename }"}]',
    "no document": b"{}",
    "an empty document": b'{"query": ""}',
    "a document that is null": b'{"query": null}',
    "a document that is a number": b'{"query": 1}',
    "variables in a list": b'{"query": "{ __typename }", "variables": []}',
    "variables in a string": b'{"query": "{ __typename }", "variables": "{}"}',
    "an operation name that is a number": b'{"query": "{ __typename }", "operationName": 1}',
    "extensions in a string": b'{"query": "{ __typename }", "extensions": "x"}',
    "deep nesting": b"[" * 9_000 + b"]" * 9_000,
    "deep nesting in a variable": b'{"query": "{ __typename }", "variables": {"a": '
    + b"[" * 9_000
    + b"]" * 9_000
    + b"}}",
    "a number without end": b'{"query": "{ __typename }", "variables": {"a": ' + NINES.encode() + b"}}",
    "not a number": b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    "no operation": b'{"query": "fragment F on Query { __typename }"}',
    "an operation that is not there": b'{"query": "query A { __typename }", "operationName": "B"}',
}

BAD_DOCUMENTS: dict[str, tuple[str, str]] = {
    "only a comment": ("# nothing", "GRAPHQL_PARSE_FAILED"),
    "deep selections": ("{ a" * 3_000 + "}" * 3_000, "GRAPHQL_PARSE_FAILED"),
    "deep lists": ("{ image(id: " + "[" * 4_000 + "]" * 4_000 + ") { id } }", "GRAPHQL_PARSE_FAILED"),
    "deep types": ("query($a: " + "[" * 4_000 + "ID" + "]" * 4_000 + ") { a }", "GRAPHQL_PARSE_FAILED"),
    "half a character": ('{ image(id: "\\uD800") { id } }', "GRAPHQL_PARSE_FAILED"),
    "a number without end": (f"{{ images(first: {NINES}) {{ totalCount }} }}", "GRAPHQL_VALIDATION_FAILED"),
    "a number of 25 digits": (
        "{ images(first: 9999999999999999999999999) { totalCount } }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "fragments in a ring": ("{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"),
    "several operations": ("query A { __typename } query B { __typename }", "BAD_REQUEST"),
}

BAD_VARIABLES: dict[str, object] = {
    "a string": "x",
    "a list": [1],
    "an object": {"a": 1},
    "a fraction": 1.5,
    "a number of 25 digits": 10**19 - 1,
    "null": None,
}


@pytest.mark.parametrize("kind", NOT_REQUESTS)
def test_a_malformed_body_is_refused(server: Server, kind: str) -> None:
    refused = server.client.post("/graphql", content=NOT_REQUESTS[kind], headers=JSON)
    assert (refused.status_code, error_code(refused)) == (400, "BAD_REQUEST")
    assert "data" not in refused.json()


@pytest.mark.parametrize("kind", BAD_DOCUMENTS)
def test_a_document_that_cannot_be_executed_is_refused(server: Server, kind: str) -> None:
    document, code = BAD_DOCUMENTS[kind]
    refused = server.post(document, accept=RESPONSE_JSON)
    assert (refused.status_code, error_code(refused)) == (400, code)


@pytest.mark.parametrize("kind", BAD_VARIABLES)
def test_a_variable_that_does_not_fit_its_type_is_refused(server: Server, kind: str) -> None:
    document = "query($first: Int!) { images(first: $first) { totalCount } }"
    refused = server.post(document, accept=RESPONSE_JSON, first=BAD_VARIABLES[kind])
    assert (refused.status_code, error_code(refused)) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    "parameters", ["", "query=", "query={__typename}&variables=[]", "query={__typename}&variables=x", "extensions=1"]
)
def test_a_malformed_get_is_refused(server: Server, parameters: str) -> None:
    refused = server.client.get(f"/graphql?{parameters}")
    assert (refused.status_code, error_code(refused)) == (400, "BAD_REQUEST")


def test_null_means_absent(server: Server) -> None:
    body = {"query": "{ __typename }", "variables": None, "operationName": None, "extensions": None}
    assert server.client.post("/graphql", json=body).json() == {"data": {"__typename": "Query"}}


def test_only_the_named_operation_is_executed(server: Server) -> None:
    body = {"query": "query A { a: __typename } query B { b: __typename }", "operationName": "B"}
    assert server.client.post("/graphql", content=json.dumps(body), headers=JSON).json() == {"data": {"b": "Query"}}


def test_an_error_has_its_location_in_the_document(server: Server) -> None:
    assert first_error(server.post("{ nope }"))["locations"] == [{"line": 1, "column": 3}]
