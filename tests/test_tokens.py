"""Which tokens count: one table, over HTTP and over WebSocket."""

import base64
import json
import time
from typing import Any

import jwt
import pytest

from tests.harness.gateway import SECRET
from tests.harness.server import Server, code_told
from tests.harness.sockets import dialled

ISSUER = AUDIENCE = "image-gateway"
PUBLIC_KEY_AS_SECRET = "-----BEGIN PUBLIC KEY-----\n" + "A" * 64 + "\n-----END PUBLIC KEY-----"


def token(secret: str = SECRET, algorithm: str = "HS256", without: str = "", **changes: Any) -> str:
    """A token that counts, but for the changes."""
    now = int(time.time())
    claims: dict[str, Any] = {"tenant_id": "1", "roles": ["admin"], "sub": "me", "iss": ISSUER, "aud": AUDIENCE}
    claims = {**claims, "iat": now, "exp": now + 600, **changes}
    claims.pop(without, None)
    return jwt.encode(claims, secret, algorithm)


def unsigned() -> str:
    header, claims, _ = token().split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    return f"{none if header else ''}.{claims}."


def tampered() -> str:
    header, _, signature = token().split(".")
    return f"{header}.{token(tenant_id='2').split('.')[1]}.{signature}"


NEVER = {
    "no signature at all": unsigned,
    "another tenant put in": tampered,
    "another secret": lambda: token("another secret, which is long enough for the job"),
    "another algorithm of the family": lambda: token(SECRET + " " * 64, "HS512"),
    "the right secret with another algorithm": lambda: token(SECRET + " and longer for a long hash" * 2, "HS384"),
    "a public key as the secret": lambda: token("A" * 64),
    "another audience": lambda: token(aud="somewhere-else"),
    "no audience": lambda: token(without="aud"),
    "another issuer": lambda: token(iss="somebody-else"),
    "no issuer": lambda: token(without="iss"),
    "no expiry": lambda: token(without="exp"),
    "an expiry that is a word": lambda: _raw({"exp": "tomorrow"}),
    "an expiry that is no number": lambda: _raw({"exp": float("inf")}),
    "not valid yet": lambda: token(nbf=int(time.time()) + 600),
    "issued in the future": lambda: token(iat=int(time.time()) + 600),
    "too long": lambda: token(padding="a" * 9_000),
    "no tenant": lambda: token(without="tenant_id"),
    "a tenant that is a number": lambda: token(tenant_id=1),
    "a tenant that breaks the pattern": lambda: token(tenant_id="acme"),
    "a tenant of too many digits": lambda: token(tenant_id="1" * 21),
    "a tenant with a line break": lambda: token(tenant_id="1\n"),
    "no roles": lambda: token(without="roles"),
    "an empty list of roles": lambda: token(roles=[]),
    "an unknown role": lambda: token(roles=["emperor"]),
    "roles in an object": lambda: token(roles={"admin": True}),
    "claims that are a list": lambda: _raw(["admin"]),
    "rubbish": lambda: "rubbish",
    "three dots": lambda: "...",
}
COUNTING = {
    "as it should be": lambda: token(),
    "an expiry beyond the calendar": lambda: token(exp=10**15),
    "roles in one string": lambda: token(roles="member admin"),
    "an unknown role beside a known one": lambda: token(roles=["emperor", "admin", 7]),
    "an audience among others": lambda: token(aud=["other", AUDIENCE]),
}


def _raw(claims: Any) -> str:
    """A well-signed token of claims that no library would make."""
    if isinstance(claims, dict):
        now = int(time.time())
        claims = {"tenant_id": "1", "roles": ["admin"], "iss": ISSUER, "aud": AUDIENCE, "iat": now, **claims}
    return jwt.api_jws.encode(json.dumps(claims).encode(), SECRET, "HS256")


@pytest.mark.parametrize("name", NEVER)
async def test_a_token_that_does_not_count_is_refused_on_every_transport(server: Server, name: str) -> None:
    bad = NEVER[name]()

    for query in ("{ viewer { id } }", "{ __typename }"):
        refused = server.post(query, bad)
        assert (refused.status_code, code_told(refused)) == (401, "UNAUTHENTICATED")
    async with dialled(server) as peer:
        await peer.init(bad)
        assert await peer.close_code() == 4401


@pytest.mark.parametrize("name", COUNTING)
def test_a_token_that_counts_speaks_for_its_tenant(server: Server, name: str) -> None:
    assert server.data("{ viewer { id } }", COUNTING[name]()) == {"viewer": {"id": "1"}}


async def test_an_expired_token_asks_for_a_fresh_one_on_every_transport(server: Server) -> None:
    late = token(exp=int(time.time()) - 60)

    refused = server.post("{ __typename }", late)
    async with dialled(server) as peer:
        await peer.init(late)
        closed = await peer.close_code()

    assert (refused.status_code, closed) == (401, 4403)
    assert "fresh" in refused.json()["errors"][0]["message"]


def test_a_verified_token_stops_counting_when_it_expires(server: Server) -> None:
    short = token(exp=int(time.time()) + 2)
    assert server.post("{ viewer { id } }", short).status_code == 200

    while server.post("{ viewer { id } }", short).status_code == 200:
        assert time.time() < jwt.decode(short, options={"verify_signature": False})["exp"] + 5
