"""Automatically persisted documents: limited, checked, and separate for each tenant."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from app.documents.automatic import PER_TENANT, SHARE, AutomaticDocuments
from tests.harness.manifests import apollo_extensions, hash_of
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, error_code, run_server

VIEWER = "query Mine { viewer { id } }"
NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"


@pytest.fixture(scope="module")
def off(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    with run_server(tmp_path_factory.mktemp("off"), automatic_documents_bytes=0) as server:
        yield server


def code(server: Server, token: str | None, document: str, **fields: Any) -> str:
    """The error code of an operation sent as the hash of a document, or "ok"."""
    fields_sent = {"extensions": apollo_extensions(document), **fields}
    answer = server.client.post("/graphql", json=fields_sent, headers=bearer(token))
    return error_code(answer) if "errors" in answer.json() else "ok"


def test_a_document_sent_with_its_hash_is_persisted(server: Server) -> None:
    token = server.token(fresh_id())
    assert [code(server, token, VIEWER), code(server, token, VIEWER, query=VIEWER)] == [NOT_FOUND, "ok"]
    for fields_sent in ({"extensions": apollo_extensions(VIEWER)}, {"documentId": f"sha256:{hash_of(VIEWER)}"}):
        answer = server.client.post("/graphql", json=fields_sent, headers=bearer(token)).json()
        assert answer["data"]["viewer"]["id"]


def test_what_one_tenant_has_persisted_is_unknown_to_all_others(server: Server) -> None:
    mine, theirs = server.token(fresh_id()), server.token(fresh_id())
    assert code(server, mine, VIEWER, query=VIEWER) == "ok"
    assert [code(server, token, VIEWER) for token in (theirs, None, mine)] == [NOT_FOUND, NOT_FOUND, "ok"]


def test_nobody_persists_without_a_token(server: Server) -> None:
    document = "query Anonymous { __typename }"
    assert [code(server, None, document, query=document), code(server, None, document)] == ["ok", NOT_FOUND]


def test_a_document_is_not_persisted_under_another_hash(server: Server) -> None:
    token = server.token(fresh_id())
    assert code(server, token, VIEWER, query="{ images { totalCount } }") == "BAD_REQUEST"
    assert code(server, token, VIEWER) == NOT_FOUND


@pytest.mark.parametrize("document", ["{", "subscription { watchOffers { cursor } }"])
def test_invalid_documents_and_subscriptions_are_not_persisted(server: Server, document: str) -> None:
    token = server.token(fresh_id())
    assert code(server, token, document, query=document) != NOT_FOUND
    assert code(server, token, document) == NOT_FOUND


def test_nothing_is_persisted_when_disabled(off: Server) -> None:
    token = off.token(fresh_id())
    assert [code(off, token, VIEWER, query=VIEWER), code(off, token, VIEWER)] == ["ok", NOT_FOUND]


@pytest.mark.slow
def test_an_evicted_document_is_persisted_again_when_sent_again(tmp_path: Path) -> None:
    others = [f"query Other{number} {{ viewer {{ id }} }}" for number in range(20)]
    with run_server(tmp_path, automatic_documents_bytes=20_000) as server:
        token = server.token("7")
        assert [code(server, token, VIEWER, query=VIEWER) for _ in range(2)] == ["ok", "ok"]
        for other in others:
            assert code(server, token, other, query=other) == "ok"
        assert code(server, token, VIEWER) == NOT_FOUND
        assert code(server, token, VIEWER, query=VIEWER) == "ok"
        assert code(server, token, VIEWER) == "ok"


def text_of(number: int, size: int = 1_000) -> str:
    return f"# {number:05} ".ljust(size)


def test_a_tenant_that_persists_too_much_evicts_only_its_own_oldest_documents() -> None:
    kept = AutomaticDocuments(100_000)
    kept.add("other", "theirs", "{ viewer { id } }")
    for number in range(10_000):
        kept.add("1", str(number), text_of(number))
        assert kept.find("1", "0")
    found = [number for number in range(10_000) if kept.find("1", str(number))]

    assert kept.find("other", "theirs")
    assert found[0] == 0
    assert found[-1] == 9_999
    assert len(found) <= 100_000 // SHARE // 1_000


def test_all_tenants_share_a_limit_and_idle_ones_are_evicted_first() -> None:
    kept = AutomaticDocuments(100_000)
    kept.add("busy", "x", text_of(0))
    for number in range(1_000):
        kept.add(str(number), "x", text_of(number))
        assert kept.find("busy", "x")
        assert kept._bytes <= 100_000

    found = [number for number in range(1_000) if kept.find(str(number), "x")]
    assert found == list(range(found[0], 1_000))
    assert len(found) > 50
    assert kept._bytes == sum(texts.weight for texts in kept._tenants.values())


def test_a_tenant_may_persist_a_limited_number_and_size_of_documents() -> None:
    kept = AutomaticDocuments(100_000_000)
    for number in range(PER_TENANT + 1):
        kept.add("1", str(number), "{ a }")
    small = AutomaticDocuments(80_000)
    small.add("1", "x", "x" * 10_000)
    small.add("1", "y", "{ a }")
    small.add("1", "y", "{ a }")

    assert (kept.find("1", "0"), kept.find("1", "1")) == (None, "{ a }")
    assert (small.find("1", "x"), small.find("1", "y")) == (None, "{ a }")
    assert small._bytes < 1_000
