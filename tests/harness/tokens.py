"""Tokens that the gateway must reject, and tokens that it must accept."""

import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from tests.harness.gateway import SECRET
from tests.harness.issuer import AUDIENCE, ISSUER, SigningKey, claims_for, encode_segment, shared_secret, signing_key

Make = Callable[[SigningKey], str]
STRANGER = signing_key("first", "RS256", 2_056)
FOREIGN_KEYS_URL = "http://127.0.0.1:9/keys"


def with_claims(without: str = "", **changes: Any) -> Make:
    """A correctly signed token with these claims; functions among them are called when it is made."""

    def make(key: SigningKey) -> str:
        now: dict[str, Any] = {name: value() if callable(value) else value for name, value in changes.items()}
        return key.token(claims_for(without=without, **now))

    return make


def with_headers(**changes: Any) -> Make:
    """A correctly signed token with these headers."""
    return lambda key: key.token(**changes)


def seconds_from_now(seconds: float) -> Callable[[], int]:
    """A time relative to the moment when the token is made."""
    return lambda: int(time.time() + seconds)


def _raw_claims(text: str) -> Make:
    """A correctly signed token with claims that no library would write."""
    return lambda key: key.token(text.replace("@", json.dumps(claims_for(without="exp"))[1:-1]).encode())


def _with_segment(place: int, segment: str) -> Make:
    """A valid token with one of its three segments replaced."""

    def make(key: SigningKey) -> str:
        parts = key.token().split(".")
        parts[place] = segment
        return ".".join(parts)

    return make


def _as_secret(secret: Callable[[], bytes]) -> Make:
    """Algorithm confusion: a token signed with public data as the shared secret."""
    return lambda key: shared_secret(secret()).token(kid=key.id)


def _public(encoding: Encoding) -> bytes:
    return signing_key().public_bytes(encoding)


CLAIMS: dict[str, Make] = {
    "another audience": with_claims(aud="somewhere-else"),
    "an audience that is a number": with_claims(aud=7),
    "other audiences": with_claims(aud=["a", "b"]),
    "no audience": with_claims(without="aud"),
    "another issuer": with_claims(iss="somebody-else"),
    "an issuer among others": with_claims(iss=[ISSUER]),
    "no issuer": with_claims(without="iss"),
    "no expiry": with_claims(without="exp"),
    "an expiry of null": with_claims(exp=None),
    "an expiry that is a word": with_claims(exp="tomorrow"),
    "an expiry that is no number": with_claims(exp=float("inf")),
    "an expiry of too many digits": _raw_claims(f'{{@, "exp": {"9" * 5_000}}}'),
    "not valid yet": with_claims(nbf=seconds_from_now(600)),
    "a start that is a word": with_claims(nbf="soon"),
    "issued in the future": with_claims(iat=seconds_from_now(600)),
    "too long": with_claims(padding="a" * 9_000),
    "no tenant": with_claims(without="tenant_id"),
    "a tenant that is a number": with_claims(tenant_id=1),
    "a tenant that breaks the pattern": with_claims(tenant_id="acme"),
    "a tenant of too many digits": with_claims(tenant_id="1" * 21),
    "a tenant with a line break": with_claims(tenant_id="1\n"),
    "two tenants": with_claims(tenant_id=["1", "2"]),
    "two tenants in an object": with_claims(tenant_id={"1": {}, "2": {}}),
    "a subject that is a number": with_claims(sub=7),
    "claims that are a list": lambda key: key.token(["admin"]),
    "claims that are no JSON": lambda key: key.token(b"{"),
    "claims that are nested without end": lambda key: key.token(b"[" * 3_000),
}
HEADERS: dict[str, Make] = {
    "no algorithm": with_headers(alg=None),
    "an algorithm that is a number": with_headers(alg=256),
    "an algorithm in a list": with_headers(alg=["HS256", "RS256"]),
    "an algorithm that nobody knows": with_headers(alg="XS256"),
    "a key ID that is a number": with_headers(kid=7),
    "a key ID in an object": with_headers(kid={"first": True}),
    "an extension that is critical and unknown": with_headers(crit=["exp"], exp=1),
    "no extension that is critical": with_headers(crit=[]),
    "a critical extension that is not there": with_headers(crit=["b64"]),
    "a critical extension in a word": with_headers(crit="b64", b64=True),
    "claims that are not encoded": with_headers(crit=["b64"], b64=False),
    "headers that are a list": lambda key: key.sign(["HS256"], claims_for()),
    "headers that are no JSON": lambda key: key.sign(b"{", claims_for()),
    "headers that are no text": lambda key: key.sign(b"\xff\xfe{}", claims_for()),
    "headers that are nested without end": lambda key: key.sign(b"[" * 3_000, claims_for()),
}
SIGNATURES: dict[str, Make] = {
    "no signature": _with_segment(2, ""),
    "a signature that is too short": _with_segment(2, encode_segment(b"x")),
    "a signature of zeros": _with_segment(2, encode_segment(bytes(256))),
    "a signature that is not encoded": _with_segment(2, "!!!!"),
    "another tenant put in": _with_segment(1, encode_segment(claims_for("2"))),
    "the algorithm none": lambda _: f"{encode_segment({'alg': 'none'})}.{encode_segment(claims_for())}.",
    "the algorithm nOnE": lambda _: f"{encode_segment({'alg': 'nOnE'})}.{encode_segment(claims_for())}.",
    "the algorithm none, with a signature": lambda key: SigningKey(lambda: key.private, key.algorithm, key.id).sign(
        {"alg": "none"}, claims_for()
    ),
    "another secret": lambda _: shared_secret("another secret, which is long enough for the job").token(),
    "another key under a known ID": lambda _: STRANGER.token(),
    "a key that it brings along": lambda _: STRANGER.token(jwk=STRANGER.public_jwk()),
    "the address of its own keys": lambda _: STRANGER.token(jku=FOREIGN_KEYS_URL, x5u=FOREIGN_KEYS_URL),
    "the right secret with another algorithm": lambda _: shared_secret(SECRET + " and longer" * 9, "HS512").token(),
    "the right key with another hash": lambda _: SigningKey(lambda: signing_key().private, "RS512", "first").token(),
    "the right key with another padding": lambda _: SigningKey(lambda: signing_key().private, "PS256", "first").token(),
    "the right key under another algorithm's name": lambda key: key.token(
        alg="RS256" if key.algorithm == "ES256" else "ES256"
    ),
    "the public key's PEM as the secret": _as_secret(lambda: _public(Encoding.PEM)),
    "the public key's PEM without its last line break": _as_secret(lambda: _public(Encoding.PEM).strip()),
    "the public key's DER as the secret": _as_secret(lambda: _public(Encoding.DER)),
    "the published key as the secret": _as_secret(lambda: json.dumps(signing_key().public_jwk()).encode()),
    "no secret as the secret": _as_secret(lambda: b""),
}
FORMS: dict[str, Make] = {
    "rubbish": lambda _: "rubbish",
    "three dots": lambda _: "...",
    "two dots": lambda _: "..",
    "one part too many": lambda key: f"{key.token()}.x",
    "five parts, as if it were encrypted": lambda _: f"{encode_segment({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a.b.c.d",
    "a token in a token": lambda key: key.token(key.token().encode()),
    "junk before it": lambda key: f"junk{key.token()}",
    "junk behind it": lambda key: f"{key.token()}junk!",
    "junk for headers": _with_segment(0, "!!!!"),
    "junk for claims": _with_segment(1, "!!!!"),
    "nothing for headers": _with_segment(0, ""),
    "nothing for claims": _with_segment(1, ""),
    "spaces inside": lambda key: key.token().replace(".", " . "),
    "a path for claims": _with_segment(1, "../../etc/passwd"),
}
INVALID = {**CLAIMS, **HEADERS, **SIGNATURES, **FORMS}
ROLELESS: dict[str, Make] = {
    "no roles": with_claims(without="roles"),
    "an empty list of roles": with_claims(roles=[]),
    "an unknown role": with_claims(roles=["emperor"]),
    "a role that does not count": with_claims(roles={"admin": False, "creator": None}),
    "a role of another organization": with_claims(roles={"admin": {"2": "two.example.org"}}),
    "a role in a list in a list": with_claims(roles=[["admin"]]),
}
VALID: dict[str, Make] = {
    "as it should be": with_headers(),
    "an expiry beyond the calendar": with_claims(exp=10**15),
    "roles in one string": with_claims(roles="member admin"),
    "an unknown role beside a known one": with_claims(roles=["emperor", "admin", 7]),
    "roles in an object": with_claims(roles={"admin": True}),
    "a role that the organization has granted": with_claims(roles={"admin": {"2": "b.example.org", "1": "a.example"}}),
    "a tenant in a list": with_claims(tenant_id=["1"]),
    "a tenant in an object": with_claims(tenant_id={"1": {"domain": ["example.org"]}}),
    "an audience among others": with_claims(aud=["other", AUDIENCE]),
    "a little too late, by our clock": with_claims(exp=seconds_from_now(-4)),
    "a little too early, by our clock": with_claims(nbf=seconds_from_now(4), iat=seconds_from_now(4)),
    "no word of what it is": with_headers(typ=None),
    "a known extension that is critical": with_headers(crit=["b64"], b64=True),
    "the address of other keys, which nobody asks": with_headers(jku=FOREIGN_KEYS_URL, x5u=FOREIGN_KEYS_URL),
}
