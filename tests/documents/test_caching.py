"""Browsers may cache responses to persisted queries sent with GET, and no others."""

import json
from collections.abc import Generator
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from app.web.http import caching
from tests.harness import manifests
from tests.harness.manifests import apollo_extensions, hash_of
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, error_code, run_server

IMAGES = "query Images { images { totalCount } }"
NODE = "query Node($id: ID!) { node(id: $id) { id } image(id: 1) { id } }"
NOT_KEPT = "no-store"


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server whose responses may be cached for a minute."""
    folder = tmp_path_factory.mktemp("patient")
    manifest = manifests.write_manifest(folder / "m.json", IMAGES, NODE)
    with run_server(folder, documents_path=manifest, documents_max_age_seconds=60) as server:
        yield server


def get(server: Server, token: str | None, method: str = "GET", **parameters: str) -> httpx2.Response:
    headers = bearer(token) | {"if-none-match": parameters.pop("known", "")}
    return server.client.request(method, "/graphql", params=parameters, headers=headers)


def test_a_cached_answer_varies_by_every_header_that_may_carry_a_token() -> None:
    request = Request({"type": "http", "method": "GET", "headers": [], "path": "/", "query_string": b""})
    caching.note_hash(request, "hash")
    caching.note(request, b"{}")

    answer = caching.add_cache_headers(request, Response(), 60, "x-auth-token")

    assert answer.headers["vary"] == "Accept, Authorization, x-auth-token"


def test_a_persisted_query_by_get_may_be_cached_privately(patient: Server) -> None:
    answer = get(patient, patient.token("1"), documentId=hash_of(IMAGES))

    assert answer.headers["cache-control"] == "private, max-age=60, must-revalidate"
    assert {"Accept", "Authorization"} <= set(answer.headers["vary"].split(", "))
    assert answer.headers["x-request-id"]


def test_an_unchanged_response_is_not_sent_again(patient: Server) -> None:
    token = patient.token(fresh_id())
    first = get(patient, token, documentId=hash_of(IMAGES))
    again = get(patient, token, documentId=hash_of(IMAGES), known=f'"other", {first.headers["etag"]}')
    patient.register(token)
    changed = get(patient, token, documentId=hash_of(IMAGES), known=first.headers["etag"])

    assert (again.status_code, again.content) == (304, b"")
    assert [again.headers[name] for name in ("etag", "cache-control", "vary")] == [
        first.headers[name] for name in ("etag", "cache-control", "vary")
    ]
    assert (changed.status_code, changed.json()["data"]["images"]["totalCount"]) == (200, 1)


def test_the_responses_of_two_callers_are_cached_separately(patient: Server) -> None:
    mine, theirs = patient.token(fresh_id()), patient.token(fresh_id())
    patient.register(mine)
    known = get(patient, mine, documentId=hash_of(IMAGES)).headers["etag"]

    assert get(patient, theirs, documentId=hash_of(IMAGES), known=known).status_code == 200


def test_without_the_setting_a_browser_revalidates_each_time(server: Server) -> None:
    token = server.token(fresh_id())
    kept = {"query": IMAGES, "extensions": json.dumps(apollo_extensions(IMAGES))}

    assert get(server, token, **kept).headers["cache-control"] == "private, max-age=0, must-revalidate"


@pytest.mark.parametrize(
    "parameters",
    [
        {"query": IMAGES},
        {"documentId": "nothing"},
        {"documentId": hash_of(NODE)},
        {"documentId": hash_of(IMAGES), "operationName": "Nope"},
    ],
)
def test_no_other_response_by_get_is_cacheable(patient: Server, parameters: dict[str, str]) -> None:
    for token in (patient.token(fresh_id()), None):
        answer = get(patient, token, **parameters)
        assert answer.headers["cache-control"] == NOT_KEPT
        assert "etag" not in answer.headers


def test_a_response_with_errors_is_not_cacheable(patient: Server) -> None:
    answer = get(patient, None, documentId=hash_of(NODE), variables='{"id": "x"}')
    assert (error_code(answer), answer.status_code, "data" in answer.json()) == ("UNAUTHENTICATED", 200, True)
    assert answer.headers["cache-control"] == NOT_KEPT


def test_a_response_by_post_is_not_cacheable(patient: Server) -> None:
    for path in ("/graphql", "/graphql?long=way"):
        parameters_sent: dict[str, Any] = {"documentId": hash_of(IMAGES)}
        answer = patient.client.post(path, json=parameters_sent, headers=bearer(patient.token("1")))
        assert answer.headers["cache-control"] == NOT_KEPT


def test_head_sends_the_headers_of_get_and_no_body(patient: Server) -> None:
    token = patient.token(fresh_id())
    parameters_sent = get(patient, token, documentId=hash_of(IMAGES))
    looked = get(patient, token, "HEAD", documentId=hash_of(IMAGES))

    assert (looked.status_code, looked.content) == (200, b"")
    assert {name: looked.headers[name] for name in ("etag", "content-length", "content-type")} == {
        name: parameters_sent.headers[name] for name in ("etag", "content-length", "content-type")
    }


def test_a_mutation_by_head_or_get_is_refused_however_it_is_named(patient: Server) -> None:
    token = patient.token(fresh_id())
    document = 'mutation { deleteImage(input: {id: "1"}) { deletedImageId } }'
    kept = {"query": document, "extensions": json.dumps(apollo_extensions(document))}
    refused = get(patient, token, **kept)

    assert (refused.status_code, error_code(refused)) == (405, "BAD_REQUEST")
    assert get(patient, token, "HEAD", **kept).status_code == 405
    assert refused.headers["cache-control"] == NOT_KEPT
