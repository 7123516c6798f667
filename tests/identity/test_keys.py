"""Which keys of a key set verify tokens, and which of them a token is tried with."""

import json
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from app.settings.values import ASYMMETRIC
from app.web.callers.keys import ALGORITHMS, NoKeys, parse_keys
from tests.harness.databases import SqliteDatabases
from tests.harness.issuer import SigningKey, claims_for, ed448_key, encode_segment, shared_secret, signing_key
from tests.harness.key_server import KeyServer, run_key_server
from tests.harness.sockets import connect_socket, open_socket
from tests.harness.trusting_gateway import TrustingGateway, run_trusting_gateway, short_times

__all__ = ["short_times"]
KEY = signing_key("first", "RS256")
ALLOWED = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
SECRET_KEY = {"kty": "oct", "k": encode_segment(b"a secret that everybody can read by now"), "kid": "first"}
TAKEN: dict[str, tuple[Callable[[], Any], set[str]]] = {
    "an RSA key": (lambda: KEY.public_jwk(), {"RS256"}),
    "an RSA key that says nothing of algorithms": (lambda: KEY.public_jwk(alg=None), {"RS256", "PS256"}),
    "an RSA key for another padding": (lambda: KEY.public_jwk(alg="PS256"), {"PS256"}),
    "a large RSA key": (lambda: signing_key("large", "RS256", 4_096).public_jwk(), {"RS256"}),
    "a P-256 key": (lambda: signing_key("p256", "ES256").public_jwk(), {"ES256"}),
    "a P-384 key that says nothing of algorithms": (
        lambda: signing_key("p384", "ES384").public_jwk(alg=None),
        {"ES384"},
    ),
    "an Ed25519 key": (lambda: signing_key("ed", "EdDSA").public_jwk(), {"EdDSA"}),
    "a key that says nothing of its use": (lambda: KEY.public_jwk(use=None), {"RS256"}),
    "a key with an empty word for its use": (lambda: KEY.public_jwk(use=None, key_ops=["verify"]), {"RS256"}),
    "a key that may do more": (lambda: KEY.public_jwk(key_ops=["encrypt", "verify"]), {"RS256"}),
    "a key without an ID": (lambda: KEY.public_jwk(kid=None), {"RS256"}),
    "a key with a certificate": (lambda: KEY.public_jwk(x5c=["MII"], x5t="x", more={"nested": [1]}), {"RS256"}),
}
LEFT: dict[str, Callable[[], Any]] = {
    "a key for encryption": lambda: KEY.public_jwk(use="enc"),
    "a key that may not verify": lambda: KEY.public_jwk(key_ops=["encrypt"]),
    "a key whose operations are a word": lambda: KEY.public_jwk(key_ops="verify"),
    "a shared secret": lambda: SECRET_KEY,
    "a shared secret for an algorithm of ours": lambda: {**SECRET_KEY, "alg": "RS256"},
    "a key for HS256": lambda: KEY.public_jwk(alg="HS256"),
    "a key for none": lambda: KEY.public_jwk(alg="none"),
    "a key for an algorithm that is not allowed": lambda: KEY.public_jwk(alg="RS512"),
    "a key for an algorithm that is not allowed by its curve": lambda: signing_key("p521", "ES512").public_jwk(
        alg=None
    ),
    "a key for an algorithm of another type": lambda: KEY.public_jwk(alg="ES256"),
    "an algorithm that is a list": lambda: KEY.public_jwk(alg=["RS256"]),
    "a small RSA key": lambda: signing_key("small", "RS256", 1_024).public_jwk(),
    "an RSA key a little too small": lambda: signing_key("smaller", "RS256", 2_040).public_jwk(),
    "an RSA key of zero": lambda: KEY.public_jwk(n="AA"),
    "an RSA key with an even exponent": lambda: KEY.public_jwk(e="BA"),
    "an enormous RSA key": lambda: KEY.public_jwk(n=encode_segment(b"\xff" * 5_000)),
    "an RSA key without its number": lambda: KEY.public_jwk(n=None),
    "an RSA key whose number is a number": lambda: KEY.public_jwk(n=7),
    "a private key": lambda: {**signing_key("p256", "ES256").private_jwk(), "use": "sig"},
    "a private RSA key": lambda: {**KEY.private_jwk(), "key_ops": ["sign", "verify"]},
    "half a private key": lambda: {**KEY.public_jwk(), "d": encode_segment(b"secret")},
    "a point that is not on its curve": lambda: signing_key("p256", "ES256").public_jwk(x=encode_segment(b"\1" * 32)),
    "a curve for Bitcoin": lambda: {**signing_key("p256", "ES256").public_jwk(alg="ES256K"), "crv": "secp256k1"},
    "an Ed448 key": lambda: ed448_key().public_jwk(),
    "an ID that is a number": lambda: KEY.public_jwk(kid=7),
    "an ID that is too long": lambda: KEY.public_jwk(kid="a" * 257),
    "a type that is a list": lambda: KEY.public_jwk(kty=["RSA"]),
    "no type": lambda: KEY.public_jwk(kty=None),
    "a word": lambda: "RSA",
    "nothing": lambda: None,
}


def key_set(*members: Any) -> bytes:
    return json.dumps({"keys": members}).encode()


@pytest.mark.parametrize("name", TAKEN)
def test_a_key_for_signatures_counts_for_the_algorithms_that_fit_it(name: str) -> None:
    make, algorithms = TAKEN[name]
    member = make()

    keys = parse_keys(key_set(*[make() for make in LEFT.values()], member), ALLOWED)

    assert {(key.id, key.algorithm) for key in keys} == {(member.get("kid"), one) for one in algorithms}


@pytest.mark.parametrize("name", LEFT)
def test_any_other_key_does_not_count_and_spoils_no_other_one(name: str) -> None:
    with pytest.raises(NoKeys, match="none of its 1 keys"):
        parse_keys(key_set(LEFT[name]()), ALLOWED)

    beside = parse_keys(key_set(LEFT[name](), signing_key("ed", "EdDSA").public_jwk()), ALLOWED)
    assert {key.id for key in beside} == {"ed"}


def test_each_algorithm_that_the_settings_know_has_a_type_of_key() -> None:
    assert {one for algorithms in ALGORITHMS.values() for one in algorithms} == ASYMMETRIC


@pytest.fixture
def keys() -> Generator[KeyServer]:
    with run_key_server(KEY) as keys:
        yield keys


@pytest.fixture
async def gateway(
    sqlite_databases: SqliteDatabases, keys: KeyServer, short_times: None
) -> AsyncGenerator[TrustingGateway]:
    async with run_trusting_gateway(sqlite_databases, keys, auth_jwks_refresh_seconds=3_600) as gateway:
        await gateway.wait_for_status(KEY.token(), 200)
        yield gateway


async def _published(gateway: TrustingGateway, *keys: SigningKey | dict[str, Any]) -> None:
    """Have the gateway know these keys, by a token of another one."""
    last = signing_key("the last to be published", "EdDSA")
    gateway.keys.publish(*keys, last)
    await gateway.wait_for_status(last.token(claims_for(now=time.time())), 200)


async def test_two_keys_of_one_name_both_count(gateway: TrustingGateway) -> None:
    twins = [signing_key("twin", "RS256", bits) for bits in (2_048, 2_056)]
    await _published(gateway, *twins)

    assert [await gateway.status(twin.token()) for twin in twins] == [200, 200]
    assert await gateway.status(signing_key("twin", "RS256", 2_064).token()) == 401


async def test_a_token_that_names_no_key_is_tried_with_those_of_its_algorithm(gateway: TrustingGateway) -> None:
    await _published(gateway, KEY, signing_key("other", "RS256", 2_056), signing_key("p256", "ES256"))

    assert await gateway.status(KEY.token(kid=None)) == 200
    assert await gateway.status(signing_key("other", "RS256", 2_056).token(kid=None)) == 200
    assert await gateway.status(signing_key("stranger", "RS256", 2_064).token(kid=None)) == 401


async def test_a_token_that_names_no_key_is_not_tried_with_many(gateway: TrustingGateway) -> None:
    many = [signing_key(f"p256 {number}", "ES256") for number in range(5)]
    await _published(gateway, *many)

    refused = await gateway.post(many[0].token(kid=None))

    assert refused.status_code == 401
    assert "names no key" in refused.json()["errors"][0]["message"]
    assert await gateway.status(many[0].token()) == 200


async def test_a_key_is_used_with_its_own_algorithm_only(gateway: TrustingGateway) -> None:
    for_padding = signing_key("padded", "PS256")
    await _published(gateway, KEY, for_padding.public_jwk(alg="RS256"))

    refused = await gateway.post(for_padding.token())

    assert refused.status_code == 401
    assert len(gateway.keys.fetches) == 2


ODD_IDS = [
    "../../etc/passwd",
    "file:///etc/passwd",
    "' OR 1=1 --",
    "%00",
    "\r\nX: y",
    "first\0",
    "",
    " first",
    "FIRST",
    "☃",
]


@pytest.mark.parametrize("key_id", ODD_IDS)
async def test_a_strange_key_id_is_a_key_that_is_not_known(gateway: TrustingGateway, key_id: str) -> None:
    token = KEY.token(kid=key_id)

    async with open_socket(gateway) as peer:
        await peer.init(token)
        assert await peer.close_code() == 4403
    assert await gateway.status(KEY.token()) == 200


async def test_a_key_id_that_is_too_long_is_looked_for_nowhere(gateway: TrustingGateway) -> None:
    before = len(gateway.keys.fetches)

    assert await gateway.status(KEY.token(kid="a" * 257)) == 401
    async with open_socket(gateway) as peer:
        await peer.init(KEY.token(kid="a" * 5_000))
        assert await peer.close_code() == 4401
    assert len(gateway.keys.fetches) == before


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
async def test_each_algorithm_that_is_allowed_counts_on_every_way(
    sqlite_databases: SqliteDatabases, short_times: None, algorithm: str
) -> None:
    key = signing_key(algorithm, algorithm)
    with run_key_server(key) as keys:
        async with run_trusting_gateway(sqlite_databases, keys, auth_jwks_algorithms=algorithm) as gateway:
            await gateway.wait_for_status(key.token(), 200)
            async with connect_socket(gateway, key.token()) as peer:
                assert await peer.is_alive()
            for form in (Encoding.PEM, Encoding.DER):
                assert await gateway.status(shared_secret(key.public_bytes(form)).token(kid=algorithm)) == 401
