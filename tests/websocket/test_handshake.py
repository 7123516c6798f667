"""The handshake over real sockets, without losses over a restart."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness.gateway import IMAGE
from tests.harness.operations import MUTATIONS, WATCH
from tests.harness.scenario import fresh_id
from tests.harness.server import STOP_SECONDS, Server, run_server
from tests.harness.sockets import WebSocketClient, connect_socket


async def do(peer: WebSocketClient, mutation: str, **input: Any) -> Any:
    """The payload of one mutation over the socket."""
    answer, end = await peer.run(MUTATIONS[mutation], op="do", input=input)
    assert end == {"id": "do", "type": "complete"}
    payload = answer["payload"]["data"][mutation]
    assert payload["errors"] == []
    return payload


async def register(peer: WebSocketClient) -> str:
    return (await do(peer, "registerImage", **IMAGE))["image"]["id"]


def step(item: Any) -> tuple[Any, ...]:
    return item["kind"], item["previousStatus"], item["status"], item["owner"]["id"], item["tenant"]["id"]


async def test_both_sides_of_a_handshake_receive_it_in_order(server: Server) -> None:
    producer, consumer = fresh_id(), fresh_id()
    producing, consuming = server.token(producer), server.token(consumer)
    async with (
        connect_socket(server, producing) as acting_producer,
        connect_socket(server, consuming) as acting_consumer,
        connect_socket(server, producing) as producers_watch,
        connect_socket(server, consuming) as consumers_watch,
    ):
        image_id = await register(acting_producer)
        for watch in (producers_watch, consumers_watch):
            await watch.subscribe(WATCH)
            assert (await watch.next_item())["__typename"] == "WatchBookmark"
        await do(acting_producer, "offerImage", imageId=image_id, tenantIds=[consumer])
        await do(acting_consumer, "acceptOffer", imageId=image_id)
        for watch in (producers_watch, consumers_watch):
            assert [step(await watch.next_item()) for _ in range(2)] == [
                ("OFFERED", None, "PENDING", producer, consumer),
                ("ANSWERED", "PENDING", "ACCEPTED", producer, consumer),
            ]


async def test_queries_and_mutations_run_on_the_socket_of_a_watch(server: Server) -> None:
    producer, consumer = fresh_id(), fresh_id()
    async with connect_socket(server, server.token(producer)) as peer:
        image_id = await register(peer)
        received = await peer.run("query($id: ID!) { image(id: $id) { name } }", id=image_id)
        assert received == [
            {"id": "1", "type": "next", "payload": {"data": {"image": {"name": "ubuntu"}}}},
            {"id": "1", "type": "complete"},
        ]
        await peer.subscribe(WATCH, op="watch")
        await peer.next_item()
        offer = {"imageId": image_id, "tenantIds": [consumer]}
        await peer.subscribe(MUTATIONS["offerImage"], op="offer", input=offer)
        received = [await peer.receive() for _ in range(3)]
        assert sorted((message["id"], message["type"]) for message in received) == [
            ("offer", "complete"),
            ("offer", "next"),
            ("watch", "next"),
        ]


async def test_a_query_on_a_socket_reads_the_current_state(server: Server) -> None:
    async with connect_socket(server, server.token(fresh_id())) as peer:
        image_id = await register(peer)
        for name in ("first", "second"):
            await do(peer, "updateImage", id=image_id, name=name)
            (answer, _) = await peer.run("query($id: ID!) { image(id: $id) { name } }", id=image_id)
            assert answer["payload"]["data"]["image"]["name"] == name


async def test_a_stranger_receives_nothing_of_a_handshake(server: Server) -> None:
    async with (
        connect_socket(server, server.token(fresh_id())) as producer,
        connect_socket(server, server.token("777")) as other,
    ):
        await other.subscribe(WATCH)
        await other.next_item()
        await do(producer, "offerImage", imageId=await register(producer), tenantIds=[fresh_id()])
        own = await register(other)
        await other.subscribe(MUTATIONS["offerImage"], op="do", input={"imageId": own, "tenantIds": [fresh_id()]})
        received = [await other.receive() for _ in range(3)]
        told = [message["payload"]["data"]["watchOffers"] for message in received if message["id"] == "1"]
        assert [item["imageId"] for item in told] == [own]


async def test_sigterm_closes_the_sockets_with_1012_and_stops_the_server_cleanly(tmp_path: Path) -> None:
    with run_server(tmp_path) as server:
        async with connect_socket(server, server.token(fresh_id())) as watching, connect_socket(server) as idle:
            await watching.subscribe(WATCH)
            await watching.next_item()
            server.process.terminate()
            assert [await peer.close_code() for peer in (watching, idle)] == [1012, 1012]
        assert server.process.wait(STOP_SECONDS) == 0
        assert "Traceback" not in server.log


@pytest.mark.slow
async def test_after_a_restart_a_client_resumes_after_its_cursor_and_misses_nothing(tmp_path: Path) -> None:
    producer, consumer = fresh_id(), fresh_id()
    with run_server(tmp_path) as first:
        async with (
            connect_socket(first, first.token(producer)) as acting,
            connect_socket(first, first.token(consumer)) as watching,
        ):
            image_id = await register(acting)
            await watching.subscribe(WATCH)
            await watching.next_item()
            await do(acting, "offerImage", imageId=image_id, tenantIds=[consumer])
            seen = await watching.next_item()
            await watching.connection.close()
            await do(acting, "revokeMember", imageId=image_id, tenantId=consumer)
        assert first.terminate() == 0
    with run_server(tmp_path, port=first.port) as second:
        async with (
            connect_socket(second, second.token(producer)) as acting,
            connect_socket(second, second.token(consumer)) as watching,
        ):
            await do(acting, "offerImage", imageId=image_id, tenantIds=[consumer])
            await watching.subscribe(WATCH, after=seen["cursor"])
            await do(acting, "revokeMember", imageId=image_id, tenantId=consumer)
            items = [await watching.next_item() for _ in range(3)]
    assert second.port == first.port
    assert [(item["kind"], item["status"]) for item in [seen, *items]] == [
        ("OFFERED", "PENDING"),
        ("REVOKED", None),
        ("OFFERED", "PENDING"),
        ("REVOKED", None),
    ]
