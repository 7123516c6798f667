"""Documents sent by hash over HTTP: trusted ones and persisted ones."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.harness import manifests
from tests.harness.gateway import IMAGE
from tests.harness.manifests import apollo_extensions, hash_of
from tests.harness.operations import MUTATIONS
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, error_code, first_error, run_server

VIEWER = "query Viewer { viewer { id } }"
IMAGES = "query Images($first: Int) { images(first: $first) { totalCount } }"
TWO = "query A { a: viewer { id } } query B { b: viewer { id } }"
REGISTER = MUTATIONS["registerImage"]
RESPONSE_JSON = "application/graphql-response+json"


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server that accepts any document, with a manifest."""
    with _serving(tmp_path_factory.mktemp("optional"), documents_mode="optional") as server:
        yield server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server that accepts only the documents of its manifest."""
    with _serving(tmp_path_factory.mktemp("only"), documents_mode="only") as server:
        yield server


def _serving(folder: Path, **settings: Any) -> Any:
    manifest = manifests.write_manifest(folder / "manifest.json", VIEWER, IMAGES, TWO, REGISTER)
    return run_server(folder, documents_path=manifest, **settings)


@pytest.fixture(params=["optional", "only"])
def either(request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue("open_server" if request.param == "optional" else "strict")


def ask(server: Server, token: str | None, method: str = "POST", **fields: Any) -> httpx2.Response:
    """Send these fields with POST, or with GET, where all but strings are encoded as JSON."""
    if method == "POST":
        return server.client.post("/graphql", json=fields, headers=bearer(token))
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    return server.client.get("/graphql", params=written, headers=bearer(token))


def named(document: str) -> list[dict[str, Any]]:
    """The forms in which clients refer to a document."""
    hash = hash_of(document)
    return [{"documentId": f"sha256:{hash}"}, {"documentId": hash}, {"extensions": apollo_extensions(document)}]


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("form", [0, 1, 2])
def test_a_trusted_document_is_executed_by_its_hash(either: Server, method: str, form: int) -> None:
    tenant = fresh_id()
    answer = ask(either, either.token(tenant), method, **named(VIEWER)[form])
    assert (answer.status_code, answer.json()) == (200, {"data": {"viewer": {"id": tenant}}})


def test_variables_and_operation_names_go_with_a_hash(either: Server) -> None:
    token = either.token(fresh_id())
    hash = hash_of(IMAGES)
    refused = ask(either, token, documentId=hash, variables={"first": 101})
    assert "100" in first_error(refused)["message"]
    assert ask(either, token, documentId=hash_of(TWO), operationName="B").json()["data"].keys() == {"b"}


def test_a_mutation_is_executed_by_its_hash_with_post_only(either: Server) -> None:
    token = either.token(fresh_id())
    refused = ask(either, token, "GET", documentId=hash_of(REGISTER), variables={"input": IMAGE})
    made = ask(either, token, documentId=hash_of(REGISTER), variables={"input": IMAGE})

    assert (refused.status_code, error_code(refused)) == (405, "BAD_REQUEST")
    assert made.json()["data"]["registerImage"]["image"]["id"]
    counted = ask(either, token, documentId=hash_of(IMAGES))
    assert counted.json()["data"] == {"images": {"totalCount": 1}}


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("id", [hash_of("{ __typename }"), f"sha256:{hash_of('{ __typename }')}", "Viewer", "x-own:1"])
def test_an_unknown_hash_is_reported_as_not_found(either: Server, method: str, id: str) -> None:
    refused = ask(either, either.token(fresh_id()), method, documentId=id)
    assert (refused.status_code, error_code(refused)) == (200, "PERSISTED_QUERY_NOT_FOUND")
    assert "data" not in refused.json()
    assert refused.headers["cache-control"] == "no-store"


def test_the_status_of_an_unknown_hash_depends_on_the_media_type(either: Server) -> None:
    headers = {"accept": RESPONSE_JSON, **bearer(either.token(fresh_id()))}
    refused = either.client.post("/graphql", json={"documentId": "nothing"}, headers=headers)
    assert (refused.status_code, refused.headers["content-type"]) == (400, f"{RESPONSE_JSON}; charset=utf-8")


@pytest.mark.parametrize(
    "fields",
    [
        {"documentId": 1},
        {"documentId": ["x"]},
        {"documentId": ""},
        {"documentId": None},
        {"extensions": {"persistedQuery": "x"}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": hash_of(VIEWER)}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": 1}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"documentId": hash_of(VIEWER), "extensions": apollo_extensions(IMAGES)},
        {"query": VIEWER, "documentId": hash_of(IMAGES)},
        {"query": VIEWER, "extensions": apollo_extensions(IMAGES)},
    ],
)
def test_an_invalid_or_mismatched_hash_is_a_bad_request(either: Server, fields: dict[str, Any]) -> None:
    assert error_code(ask(either, either.token(fresh_id()), **fields)) == "BAD_REQUEST"


@pytest.mark.parametrize("document", ["{ viewer { id } }", VIEWER + " ", "{ __schema { queryType { name } } }"])
@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("with_hash", [True, False])
def test_only_trusted_documents_are_executed_in_strict_mode(
    strict: Server, document: str, method: str, with_hash: bool
) -> None:
    extensions = {"extensions": apollo_extensions(document)} if with_hash else {}
    for token in (strict.token(fresh_id()), None):
        refused = ask(strict, token, method, query=document, **extensions)
        assert (refused.status_code, error_code(refused)) == (200, "FORBIDDEN")
        assert "manifest" in first_error(refused)["message"]
        assert error_code(ask(strict, token, method, documentId=hash_of(document))) == "PERSISTED_QUERY_NOT_FOUND"


def test_a_trusted_document_may_be_sent_as_text(strict: Server) -> None:
    assert ask(strict, strict.token("7"), query=VIEWER).json() == {"data": {"viewer": {"id": "7"}}}


def test_other_documents_are_executed_besides_the_manifest(open_server: Server) -> None:
    assert open_server.data("{ viewer { id } }", open_server.token("7")) == {"viewer": {"id": "7"}}


def test_a_bad_token_is_reported_before_an_unknown_hash(either: Server) -> None:
    for id in (hash_of(VIEWER), "nothing"):
        refused = ask(either, "nonsense", documentId=id)
        assert (refused.status_code, error_code(refused)) == (401, "UNAUTHENTICATED")


def test_a_trusted_document_without_a_token_is_unauthenticated(either: Server) -> None:
    assert error_code(ask(either, None, documentId=hash_of(VIEWER))) == "UNAUTHENTICATED"


def test_a_trusted_watch_is_sent_over_sse_by_its_hash(either: Server) -> None:
    headers = {"accept": "text/event-stream", **bearer(either.token("7"))}
    answer = either.client.post("/graphql", json={"documentId": hash_of(VIEWER)}, headers=headers)
    assert 'data: {"data":{"viewer":{"id":"7"}}}' in answer.text


def test_an_unknown_hash_ends_an_event_stream_so_that_clients_do_not_reconnect(either: Server) -> None:
    headers = {"accept": "text/event-stream", **bearer(either.token("7"))}
    answer = either.client.get("/graphql", params={"documentId": "nothing"}, headers=headers)
    assert (answer.status_code, "PERSISTED_QUERY_NOT_FOUND" in answer.text) == (200, True)
    assert answer.text.endswith("event: complete\ndata:\n\n")
