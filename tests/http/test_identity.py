"""Authentication over HTTP, and what is available without it."""

from typing import Any

import jwt
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
    is_required_argument,
    is_required_input_field,
)

from app.api.schema import build_schema
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, error_code

SCHEMA = build_schema()._schema  # pyright: ignore[reportPrivateUsage]  # the underlying graphql-core schema
ROOTS = {"query": SCHEMA.query_type, "mutation": SCHEMA.mutation_type}


def call(field_name: str, root: GraphQLObjectType) -> str:
    """The shortest valid call of a root field, each of which has fields to select."""
    arguments = root.fields[field_name].args
    needed = [f"{name}: {literal(arg.type)}" for name, arg in arguments.items() if is_required_argument(arg)]
    argument_list = f"({', '.join(needed)})" if needed else ""
    return f"{field_name}{argument_list} {{ __typename }}"


def literal(type_: Any) -> str:
    """A literal that the type accepts."""
    named: object = get_named_type(type_)
    if str(type_).startswith("["):
        return "[]"
    if isinstance(named, GraphQLEnumType):
        return next(iter(named.values))
    if isinstance(named, GraphQLInputObjectType):
        needed = {name: field.type for name, field in named.fields.items() if is_required_input_field(field)}
        return "{" + ", ".join(f"{name}: {literal(field)}" for name, field in needed.items()) + "}"
    return '"1"'


CALLS = [f"{kind} {{ {call(name, root)} }}" for kind, root in ROOTS.items() if root for name in root.fields]


@pytest.mark.parametrize("operation", CALLS)
def test_without_a_token_no_root_field_returns_data(server: Server, operation: str) -> None:
    refused = server.post(operation)
    assert (refused.status_code, error_code(refused)) == (200, "UNAUTHENTICATED")
    assert not any((refused.json()["data"] or {}).values())


def test_without_a_token_the_schema_can_be_read(server: Server) -> None:
    answer = server.post('{ __typename __schema { queryType { name } } __type(name: "Image") { name } }').json()
    assert answer["data"] == {
        "__typename": "Query",
        "__schema": {"queryType": {"name": "Query"}},
        "__type": {"name": "Image"},
    }


def test_without_a_token_valid_and_invalid_ids_are_indistinguishable(server: Server) -> None:
    answers = [server.post("query($id: ID!) { image(id: $id) { id } }", id=id).json() for id in ("", "x", fresh_id())]
    assert {answer["errors"][0]["message"] for answer in answers} == {answers[0]["errors"][0]["message"]}


FORGED = jwt.encode({"tenant_id": "1", "roles": ["admin"], "exp": 9_999_999_999}, "another secret of 32 bytes or more")
UNSIGNED = jwt.encode({"tenant_id": "1", "roles": ["admin"], "exp": 9_999_999_999}, "", "none")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Basic eDp5", "x", f"Bearer {FORGED}", f"Bearer {UNSIGNED}"]
)
def test_a_request_with_an_invalid_token_is_refused_as_a_whole(server: Server, header: str) -> None:
    refused = server.client.post("/graphql", json={"query": "{ __typename }"}, headers={"authorization": header})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert error_code(refused) == "UNAUTHENTICATED"
    assert "data" not in refused.json()


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_expired_token_is_refused_with_advice_to_get_a_new_one(server: Server, method: str) -> None:
    refused = getattr(server, method)("{ __typename }", server.token(fresh_id(), ttl=-1))
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "fresh" in refused.json()["errors"][0]["message"]


def test_the_authorization_scheme_is_case_insensitive(server: Server) -> None:
    tenant = fresh_id()
    headers = {"authorization": f"bEARER {server.token(tenant)}"}
    answer = server.client.post("/graphql", json={"query": "{ viewer { id } }"}, headers=headers)
    assert answer.json() == {"data": {"viewer": {"id": tenant}}}
