"""Which tokens count: one table, for the shared secret and for a key set, over HTTP and over WebSocket."""

import json
import time
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from tests.harness.gateway import SECRET
from tests.harness.issuer import SigningKey, claims_for, shared_secret, signing_key
from tests.harness.key_server import run_key_server
from tests.harness.server import Server, error_code, run_server
from tests.harness.sockets import connect_socket, open_socket
from tests.harness.tokens import INVALID, ROLELESS, VALID

VIEWER = "{ viewer { id } }"
LEEWAY_SECONDS = 10


@dataclass
class Believer:
    """A server, and the key whose tokens it believes."""

    server: Server
    key: SigningKey


@pytest.fixture(scope="module", params=["secret", "RS256", "ES256"])
def believer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Believer]:
    folder, kind = tmp_path_factory.mktemp("server"), request.param
    if kind == "secret":
        with run_server(folder, auth_leeway_seconds=LEEWAY_SECONDS) as server:
            yield Believer(server, shared_secret(SECRET))
        return
    key = signing_key("first", kind)
    with (
        run_key_server(key) as keys,
        run_server(folder, auth_secret=None, auth_jwks_url=keys.url, auth_leeway_seconds=LEEWAY_SECONDS) as server,
    ):
        yield Believer(server, key)


@pytest.mark.parametrize("name", INVALID)
async def test_a_token_that_does_not_count_is_refused_on_every_transport(believer: Believer, name: str) -> None:
    bad, server = INVALID[name](believer.key), believer.server

    for refused in (server.post(VIEWER, bad), server.post("{ __typename }", bad), server.get(VIEWER, bad)):
        assert (refused.status_code, error_code(refused)) == (401, "UNAUTHENTICATED")
        assert bad not in refused.text
    async with open_socket(server) as peer:
        await peer.init(bad)
        assert await peer.close_code() == 4401


@pytest.mark.parametrize("name", ROLELESS)
async def test_a_caller_without_a_role_is_known_but_forbidden_on_every_transport(believer: Believer, name: str) -> None:
    token, server = ROLELESS[name](believer.key), believer.server

    for refused in (server.post(VIEWER, token), server.get(VIEWER, token)):
        assert (refused.status_code, error_code(refused)) == (403, "FORBIDDEN")
        assert "www-authenticate" not in refused.headers
    async with open_socket(server) as peer:
        await peer.init(token)
        assert await peer.close_code() == 4401
        assert peer.connection.close_reason == "The token has no known role in 'roles'."


@pytest.mark.parametrize("name", VALID)
async def test_a_token_that_counts_speaks_for_its_tenant_on_every_transport(believer: Believer, name: str) -> None:
    good = VALID[name](believer.key)

    assert believer.server.data(VIEWER, good) == {"viewer": {"id": "1"}}
    async with connect_socket(believer.server, good) as peer:
        assert (await peer.run(VIEWER))[0]["payload"] == {"data": {"viewer": {"id": "1"}}}


async def test_an_expired_token_asks_for_a_fresh_one_on_every_transport(believer: Believer) -> None:
    late = believer.key.token(claims_for(exp=int(time.time()) - 60))

    refused = believer.server.post("{ __typename }", late)
    async with open_socket(believer.server) as peer:
        await peer.init(late)
        closed = await peer.close_code()

    assert (refused.status_code, closed) == (401, 4403)
    assert "fresh" in refused.json()["errors"][0]["message"]


def test_a_verified_token_stops_counting_when_it_expires(believer: Believer) -> None:
    expiry = int(time.time()) - LEEWAY_SECONDS + 2
    short = believer.key.token(claims_for(exp=expiry))
    assert believer.server.post(VIEWER, short).status_code == 200

    while believer.server.post(VIEWER, short).status_code == 200:
        assert time.time() < expiry + LEEWAY_SECONDS + 5


@pytest.mark.parametrize("junk", [b"\xff\xfe\xfd", "naïve".encode(), "naïve".encode("latin-1"), b"a.b.\xe2\x98\x83"])
def test_bytes_that_are_no_text_are_refused_as_a_token(believer: Believer, junk: bytes) -> None:
    client, headers = believer.server.client, {b"authorization": b"Bearer " + junk}

    asked = client.get("/graphql", params={"query": VIEWER}, headers=headers)
    posted = client.post("/graphql", json={"query": VIEWER}, headers=headers)

    for refused in (asked, posted):
        assert (refused.status_code, error_code(refused)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("junk", ["a.\0.c", "naïve.b.c", "a.☃.c", "\\ud800.b.c", "\\u0000"])
async def test_characters_that_no_token_has_close_the_socket(believer: Believer, junk: str) -> None:
    escaped = junk if "\\u" in junk else json.dumps(junk)[1:-1]
    async with open_socket(believer.server) as peer:
        await peer.send(f'{{"type": "connection_init", "payload": {{"Authorization": "Bearer {escaped}"}}}}')
        # A lone surrogate is no JSON, and the rest is no token.
        assert await peer.close_code() == (4400 if "ud800" in junk else 4401)


def test_no_request_of_the_table_left_a_fault_in_the_log(believer: Believer) -> None:
    assert "Traceback" not in believer.server.log
