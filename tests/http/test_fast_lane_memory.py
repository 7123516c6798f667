"""The fast path caches only small requests, whichever part of them a client makes large."""

from collections.abc import AsyncGenerator
from hashlib import sha256

import orjson
import pytest

from app.web.server.fast_path import MAX_CACHED_BYTES
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process

VIEWER = "{ viewer { id } }"
LARGE = 60_000


@pytest.fixture
async def server(sqlite_databases: SqliteDatabases) -> AsyncGenerator[InProcessServer]:
    async with run_in_process(settings_for(sqlite_databases.fresh())) as server:
        yield server


def _is_kept(server: InProcessServer, body: object, **headers: str) -> bool:
    sent = {"authorization": f"Bearer {server.token}", "content-type": "application/json", **headers}
    raw = {name.replace("_", "-").encode(): value.encode() for name, value in sent.items()}
    before = len(server.fast_path._cache)
    server.fast_path.parse(raw, orjson.dumps(body))
    return len(server.fast_path._cache) > before


async def test_a_plain_request_is_cached(server: InProcessServer) -> None:
    assert _is_kept(server, {"query": VIEWER})
    assert _is_kept(server, {"query": VIEWER}, accept="application/json", origin="https://console.example.org")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": f"application/json; {'x' * LARGE}=1"},
        {"accept": f"application/json, {'x' * LARGE}/*"},
        {"origin": "https://" + "x" * LARGE},
        {"authorization": ""},
    ],
    ids=["content type", "accept", "origin", "authorization"],
)
async def test_a_request_with_a_large_header_is_not_cached(server: InProcessServer, headers: dict[str, str]) -> None:
    if "authorization" in headers:
        headers = {"authorization": "Bearer " + " " * LARGE + server.token}

    assert not _is_kept(server, {"query": VIEWER}, **headers)


@pytest.mark.parametrize(("size", "is_kept"), [(10, True), (MAX_CACHED_BYTES, False)])
async def test_a_request_whose_hash_names_a_large_document_is_not_cached(
    server: InProcessServer, size: int, is_kept: bool
) -> None:
    document = f"{VIEWER} # {'x' * size}"
    hash = sha256(document.encode()).hexdigest()
    server.fast_path._pipeline.persisted.find(document, hash, "1")

    assert _is_kept(server, {"documentId": hash}) == is_kept
