"""Authentication over WebSocket: the token is sent in `connection_init`, and its expiry closes the socket."""

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.harness.operations import WATCH
from tests.harness.scenario import fresh_id
from tests.harness.server import Server
from tests.harness.sockets import connect_socket, open_socket

VIEWER = "{ viewer { id } }"


@pytest.mark.parametrize("key", ["Authorization", "authorization", "AUTHORIZATION"])
async def test_the_key_of_the_token_is_case_insensitive(server: Server, key: str) -> None:
    tenant = fresh_id()
    async with open_socket(server) as peer:
        await peer.init(server.token(tenant), key)
        assert (await peer.receive())["type"] == "connection_ack"
        assert (await peer.run(VIEWER))[0]["payload"] == {"data": {"viewer": {"id": tenant}}}


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer x", "Basic eDp5", "x", 7, {"token": "x"}, ["Bearer x"]])
async def test_an_invalid_token_closes_the_socket_with_4401(server: Server, value: object) -> None:
    async with open_socket(server) as peer:
        await peer.send({"type": "connection_init", "payload": {"Authorization": value}})
        assert await peer.close_code() == 4401


PLACES = ["payload", "headers of the payload", "header of the handshake"]


def put(place: str, value: object, key: str = "Authorization") -> tuple[dict[str, Any], dict[str, Any]]:
    """The payload of `connection_init` and the options of the handshake, with the token in this position."""
    if place == "payload":
        return {key: value}, {}
    return ({"headers": {key: value}}, {}) if "payload" in place else ({}, {"additional_headers": {key: str(value)}})


@pytest.mark.parametrize("key", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("place", PLACES)
async def test_a_token_is_accepted_wherever_clients_send_it(server: Server, place: str, key: str) -> None:
    tenant = fresh_id()
    payload, options = put(place, f"Bearer {server.token(tenant)}", key)
    async with open_socket(server, **options) as peer:
        await peer.send({"type": "connection_init", "payload": payload})
        assert (await peer.receive())["type"] == "connection_ack"
        assert (await peer.run(VIEWER))[0]["payload"] == {"data": {"viewer": {"id": tenant}}}


async def test_a_handshake_with_a_token_needs_no_payload(server: Server) -> None:
    tenant = fresh_id()
    _, options = put(PLACES[2], f"Bearer {server.token(tenant)}")
    async with open_socket(server, **options) as peer:
        await peer.send({"type": "connection_init"})
        assert (await peer.receive())["type"] == "connection_ack"
        assert (await peer.run(VIEWER))[0]["payload"] == {"data": {"viewer": {"id": tenant}}}


@pytest.mark.parametrize("place", PLACES)
async def test_a_bad_token_and_an_expired_one_close_the_socket_wherever_they_are(server: Server, place: str) -> None:
    for value, code in (("Bearer x", 4401), ("Basic eDp5", 4401), (f"Bearer {server.token('5', ttl=-1)}", 4403)):
        payload, options = put(place, value)
        async with open_socket(server, **options) as peer:
            await peer.send({"type": "connection_init", "payload": payload})
            assert await peer.close_code() == code


@pytest.mark.parametrize(("winner", "loser"), [(0, 1), (0, 2), (1, 2)])
async def test_the_payload_overrides_its_headers_and_both_override_the_handshake(
    server: Server, winner: int, loser: int
) -> None:
    tenant = fresh_id()
    first, one = put(PLACES[winner], f"Bearer {server.token(tenant)}")
    second, other = put(PLACES[loser], "Basic of-the-proxy")
    async with open_socket(server, **one, **other) as peer:
        await peer.send({"type": "connection_init", "payload": {**first, **second}})
        assert (await peer.receive())["type"] == "connection_ack"
        assert (await peer.run(VIEWER))[0]["payload"] == {"data": {"viewer": {"id": tenant}}}


async def test_a_page_of_a_foreign_origin_is_refused_although_its_handshake_has_a_token(server: Server) -> None:
    _, options = put(PLACES[2], f"Bearer {server.token(fresh_id())}")
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(server, origin="https://foreign.example", **options):
            pass

    assert refused.value.response.status_code == 403


async def test_an_expired_token_closes_the_socket_with_4403(server: Server) -> None:
    async with open_socket(server) as peer:
        await peer.init(server.token(fresh_id(), ttl=-1))
        assert await peer.close_code() == 4403


@pytest.mark.slow
async def test_an_expiring_token_closes_the_socket_with_4403_and_a_new_one_resumes_there(server: Server) -> None:
    tenant = fresh_id()
    async with connect_socket(server, server.token(tenant, ttl=3)) as peer:
        await peer.subscribe(WATCH)
        cursor = (await peer.next_item())["cursor"]
        assert await peer.close_code() == 4403
    image_id = server.register(server.token(tenant))
    server.do("offerImage", server.token(tenant), imageId=image_id, tenantIds=[fresh_id()])
    async with connect_socket(server, server.token(tenant)) as peer:
        await peer.subscribe(WATCH, after=cursor)
        assert (await peer.next_item())["imageId"] == image_id


@pytest.mark.parametrize("variables", [{}, {"after": "made up"}, {"filter": {"imageId": "made up"}}])
async def test_without_a_token_a_watch_is_refused_and_the_socket_stays_open(server: Server, variables: Any) -> None:
    async with connect_socket(server) as peer:
        (message,) = await peer.run(WATCH, **variables)
        assert message["type"] == "error"
        assert [error["extensions"]["code"] for error in message["payload"]] == ["UNAUTHENTICATED"]
        assert await peer.is_alive()


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"Authorization": None},
        {"token": "x"},
        {"headers": None},
        {"headers": "Bearer x"},
        {"headers": {}},
        {"headers": {"Authorization": None}},
    ],
)
async def test_connection_init_without_a_token_is_accepted_and_a_query_refused(server: Server, payload: Any) -> None:
    async with open_socket(server) as peer:
        await peer.send({"type": "connection_init", "payload": payload})
        assert (await peer.receive())["type"] == "connection_ack"
        answer, end = await peer.run(VIEWER)
        assert [error["extensions"]["code"] for error in answer["payload"]["errors"]] == ["UNAUTHENTICATED"]
        assert end["type"] == "complete"


async def test_no_token_of_a_socket_is_logged(server: Server) -> None:
    bad = [server.token(fresh_id(), ttl=-1), "x" + server.token(fresh_id())]
    for token in bad:
        async with open_socket(server) as peer:
            await peer.init(token)
            await peer.close_code()
    good = server.token(fresh_id())
    async with connect_socket(server, good) as peer:
        await peer.run("{")
    assert not any(token in server.log for token in (*bad, good))
