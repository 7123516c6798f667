"""Keys that are discovered at the URL of an issuer: on its own host, of its own metadata, and nowhere else."""

import json
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any

import pytest

from app.web.callers.key_server import MAX_BYTES, DiscoveredKeyServer
from app.web.callers.keys import NoKeys, parse_keys
from tests.harness.databases import SqliteDatabases
from tests.harness.issuer import claims_for, signing_key
from tests.harness.key_server import Behaviour, KeyServer, reply, run_key_server
from tests.harness.trusting_gateway import run_trusting_gateway, short_times

__all__ = ["short_times"]
KEY = signing_key("first", "RS256")
WELL_KNOWN = "/realms/main/.well-known/openid-configuration"


@pytest.fixture
def keys() -> Generator[KeyServer]:
    with run_key_server(KEY) as keys:
        yield keys


def issuer_at(keys: KeyServer) -> str:
    return f"{keys.url.removesuffix('/keys')}/realms/main"


def serving(keys: KeyServer, metadata: bytes, status: int = 200, **headers: str) -> Behaviour:
    """Serve metadata, and keys everywhere else."""

    def serve(request: BaseHTTPRequestHandler, waking: Event) -> None:
        if request.path == WELL_KNOWN:
            reply(request, metadata, status, **headers)
        else:
            keys.serve_keys(request, waking)

    return serve


def metadata_of(keys: KeyServer, **changes: Any) -> bytes:
    return json.dumps({"issuer": issuer_at(keys), "jwks_uri": keys.url, **changes}).encode()


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_token_counts_by_keys_that_its_issuer_names(
    sqlite_databases: SqliteDatabases, keys: KeyServer, slash: str
) -> None:
    issuer = f"{issuer_at(keys)}{slash}"
    keys.behaviour = serving(keys, metadata_of(keys, issuer=issuer))
    settings = {"auth_jwks_url": None, "auth_issuer": issuer}
    async with run_trusting_gateway(sqlite_databases, keys, **settings) as gateway:
        assert await gateway.status(KEY.token(claims_for(iss=issuer))) == 200
        assert await gateway.status(KEY.token()) == 401
        assert keys.fetches[:2] == [WELL_KNOWN, "/keys"]


LIES: dict[str, tuple[Callable[[KeyServer], Behaviour], str]] = {
    "not found": (lambda keys: serving(keys, b"", 404), "status 404"),
    "elsewhere": (lambda keys: serving(keys, b"", 302, location=keys.url), "status 302"),
    "a page": (lambda keys: serving(keys, b"<html>"), "not JSON"),
    "a list": (lambda keys: serving(keys, b"[]"), "describes the issuer 'None'"),
    "too much": (lambda keys: serving(keys, metadata_of(keys) + b" " * MAX_BYTES), "larger than"),
    "of another issuer": (lambda keys: serving(keys, metadata_of(keys, issuer=keys.url)), "describes the issuer"),
    "of a longer issuer": (lambda keys: serving(keys, metadata_of(keys, issuer=f"{issuer_at(keys)}/")), "describes"),
    "no keys": (lambda keys: serving(keys, metadata_of(keys, jwks_uri=None)), "names no jwks_uri"),
    "keys on another host": (
        lambda keys: serving(keys, metadata_of(keys, jwks_uri=keys.url.replace("127.0.0.1", "127.0.0.2"))),
        "on another host; if that is right, set the JWKS URL",
    ),
    "keys on another port": (
        lambda keys: serving(keys, metadata_of(keys, jwks_uri="http://127.0.0.1:22/keys")),
        "on another host",
    ),
    "keys by another scheme": (
        lambda keys: serving(keys, metadata_of(keys, jwks_uri=keys.url.replace("http:", "https:"))),
        "on another host",
    ),
    "keys in a file": (lambda keys: serving(keys, metadata_of(keys, jwks_uri="file:///etc/keys")), "another host"),
    "keys beside the host": (
        lambda keys: serving(keys, metadata_of(keys, jwks_uri=keys.url.replace("//", "//127.0.0.1:1@evil.example:"))),
        "another host",
    ),
    "keys at no address": (lambda keys: serving(keys, metadata_of(keys, jwks_uri=f"{keys.url}\n")), "InvalidURL"),
    "nothing at all": (lambda keys: keys.hang, "within 1 seconds"),
}


async def test_metadata_and_keys_are_fetched_over_a_connection_each(keys: KeyServer) -> None:
    """A server may close the first one at the moment of the second request."""
    ports, serve = list[int](), serving(keys, metadata_of(keys))

    def serve_on(request: BaseHTTPRequestHandler, waking: Event) -> None:
        request.close_connection = False
        ports.append(request.client_address[1])
        serve(request, waking)

    keys.behaviour = serve_on
    client = DiscoveredKeyServer(issuer_at(keys))
    await client.fetch()
    await client.close()

    assert len(set(ports)) == 2


@pytest.mark.usefixtures("short_times")
@pytest.mark.parametrize("name", LIES)
async def test_metadata_that_leads_elsewhere_is_not_followed(keys: KeyServer, name: str) -> None:
    behave, reason = LIES[name]
    keys.behaviour = behave(keys)
    client = DiscoveredKeyServer(issuer_at(keys))
    try:
        with pytest.raises(NoKeys, match=reason):
            parse_keys(await client.fetch(), ["RS256"])
    finally:
        await client.close()
    assert keys.fetches == [WELL_KNOWN]
