"""Unseen images are indistinguishable over HTTP and WebSocket, in every query, mutation and watch."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.harness.operations import MUTATIONS, WATCH
from tests.harness.scenario import fresh_id
from tests.harness.server import Server
from tests.harness.sockets import WebSocketClient, connect_socket
from tests.privacy.test_tables import ACTS, ENTRIES, _input

OPERATIONS = {
    **{name: (query, {"id": "IMAGE"}) for name, query in ENTRIES.items()},
    **{n: (MUTATIONS[n], ACTS[n]) for n in ACTS},
}


class UnseenImages:
    """A tenant, and images that it may not know of, for every reason."""

    def __init__(self, server: Server) -> None:
        owner, self.viewer = server.token(fresh_id()), fresh_id()
        self.token = server.token(self.viewer)
        foreign, revoked, deleted, inert = (server.register(owner) for _ in range(4))
        for image in (revoked, deleted, inert):
            server.do("offerImage", owner, imageId=image, tenantIds=[self.viewer])
        server.do("revokeMember", owner, imageId=revoked, tenantId=self.viewer)
        server.do("deleteImage", owner, id=deleted)
        server.do("updateImage", owner, id=inert, visibility="PRIVATE")
        self.images = [str(uuid4()), foreign, revoked, deleted, inert]


@pytest.fixture(scope="module")
def unseen(server: Server) -> UnseenImages:
    return UnseenImages(server)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_unseen_images_are_indistinguishable_over_http_and_websocket(
    server: Server, unseen: UnseenImages, name: str
) -> None:
    query, input = OPERATIONS[name]
    answers: set[str] = set()

    async with connect_socket(server, unseen.token) as peer:
        for image in unseen.images:
            variables = {"id": image} if name in ENTRIES else _input(input, image)
            by_http = server.post(query, unseen.token, **variables).json()
            by_socket = (await peer.run(query, **variables))[0]["payload"]
            answers |= {json.dumps(answer).replace(image, "IMAGE") for answer in (by_http, by_socket)}

    assert len(answers) == 1, answers


async def test_a_watch_of_an_unseen_image_is_live_and_silent(server: Server, unseen: UnseenImages) -> None:
    firsts: list[Any] = []
    for image in unseen.images:
        async with connect_socket(server, unseen.token) as peer:
            await peer.subscribe(WATCH, filter={"imageId": image})
            firsts.append((await peer.next_item())["__typename"])
            assert await _is_silent(peer)

    assert firsts == ["WatchBookmark"] * len(unseen.images)


async def _is_silent(peer: WebSocketClient) -> bool:
    """Whether nothing arrives between the first item and a pong."""
    await peer.send({"type": "ping"})
    return (await peer.receive())["type"] == "pong"
