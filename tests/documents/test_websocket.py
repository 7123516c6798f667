"""Documents sent by hash over WebSocket."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import manifests
from tests.harness.manifests import apollo_extensions, hash_of
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, run_server
from tests.harness.sockets import WebSocketClient, connect_socket, open_socket

VIEWER = "query Viewer { viewer { id } }"
WATCH = "subscription Watch { watchOffers { __typename cursor } }"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server that accepts only the documents of its manifest."""
    folder: Path = tmp_path_factory.mktemp("only")
    manifest = manifests.write_manifest(folder / "manifest.json", VIEWER, WATCH)
    with run_server(folder, documents_path=manifest, documents_mode="only") as server:
        yield server


async def answer(peer: WebSocketClient, **payload: Any) -> dict[str, Any]:
    """The first message of an operation."""
    await peer.send({"type": "subscribe", "id": "1", "payload": payload})
    return await peer.receive()


async def code(peer: WebSocketClient, **payload: Any) -> str:
    """The error code of a refused operation, which leaves the socket open."""
    message = await answer(peer, **payload)
    assert (message["type"], message["id"]) == ("error", "1")
    [error] = message["payload"]
    assert error["extensions"]["requestId"]
    return error["extensions"]["code"]


@pytest.mark.parametrize(
    "form", [{"documentId": f"sha256:{hash_of(VIEWER)}"}, {"extensions": apollo_extensions(VIEWER)}]
)
@pytest.mark.parametrize("empty", [{}, {"query": ""}, {"query": None}])
async def test_a_trusted_query_is_executed_by_its_hash(
    strict: Server, form: dict[str, Any], empty: dict[str, Any]
) -> None:
    async with connect_socket(strict, strict.token("7")) as peer:
        message = await answer(peer, **form, **empty)
        assert message["payload"] == {"data": {"viewer": {"id": "7"}}}
        assert (await peer.receive())["type"] == "complete"


async def test_a_trusted_watch_starts_by_its_hash(strict: Server) -> None:
    async with connect_socket(strict, strict.token(fresh_id())) as peer:
        message = await answer(peer, documentId=hash_of(WATCH))
        assert message["payload"]["data"]["watchOffers"]["__typename"] == "WatchBookmark"


async def test_other_documents_are_refused_and_the_socket_stays_open(strict: Server) -> None:
    async with connect_socket(strict, strict.token("7")) as peer:
        assert await code(peer, query="{ viewer { id } }") == "FORBIDDEN"
        assert await code(peer, documentId=hash_of("{ viewer { id } }")) == "PERSISTED_QUERY_NOT_FOUND"
        assert await code(peer, documentId=1) == "BAD_REQUEST"
        assert await code(peer, query=VIEWER, documentId=hash_of(WATCH)) == "BAD_REQUEST"
        assert (await answer(peer, query=VIEWER))["type"] == "next"


async def test_a_hash_is_not_looked_up_before_connection_init(strict: Server) -> None:
    async with open_socket(strict) as peer:
        await peer.send({"type": "subscribe", "id": "1", "payload": {"documentId": "nothing"}})
        assert await peer.close_code() == 4401


@pytest.mark.parametrize("payload", [{}, {"query": None}, {"documentId": ""}, {"query": "{ a }", "extensions": []}])
async def test_an_operation_without_a_document_violates_the_protocol(server: Server, payload: dict[str, Any]) -> None:
    async with connect_socket(server, server.token("7")) as peer:
        await peer.send({"type": "subscribe", "id": "1", "payload": payload})
        assert await peer.close_code() == 4400


async def test_a_persisted_document_is_known_over_both_transports(server: Server) -> None:
    mine, theirs = server.token(fresh_id()), server.token(fresh_id())
    async with connect_socket(server, mine) as peer:
        assert await code(peer, extensions=apollo_extensions(VIEWER)) == "PERSISTED_QUERY_NOT_FOUND"
        assert (await answer(peer, query=VIEWER, extensions=apollo_extensions(VIEWER)))["type"] == "next"
    async with connect_socket(server, theirs) as peer:
        assert await code(peer, extensions=apollo_extensions(VIEWER)) == "PERSISTED_QUERY_NOT_FOUND"
    answered = server.client.post(
        "/graphql", json={"documentId": hash_of(VIEWER)}, headers={"authorization": f"Bearer {mine}"}
    )
    assert "errors" not in answered.json()


async def test_a_watch_is_never_persisted_automatically(server: Server) -> None:
    """A client may resume a watch at another worker or after a restart, where an unknown hash would end it."""
    async with connect_socket(server, server.token(fresh_id())) as peer:
        assert (await answer(peer, query=WATCH, extensions=apollo_extensions(WATCH)))["type"] == "next"
        await peer.send({"type": "complete", "id": "1"})
        assert await code(peer, extensions=apollo_extensions(WATCH)) == "PERSISTED_QUERY_NOT_FOUND"
