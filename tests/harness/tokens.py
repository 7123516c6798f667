"""Tokens that must not count, and tokens that must, whoever signs them."""

import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from tests.harness.gateway import SECRET
from tests.harness.issuer import AUDIENCE, ISSUER, SigningKey, claims_of, part, shared, signing_key

Make = Callable[[SigningKey], str]
STRANGER = signing_key("first", "RS256", 2_056)
ELSEWHERE = "http://127.0.0.1:9/keys"


def saying(without: str = "", **changes: Any) -> Make:
    """Well signed, with these claims; those that are functions are asked when the token is made."""

    def make(key: SigningKey) -> str:
        now: dict[str, Any] = {name: value() if callable(value) else value for name, value in changes.items()}
        return key.token(claims_of(without=without, **now))

    return make


def headed(**changes: Any) -> Make:
    """Well signed, with these headers."""
    return lambda key: key.token(**changes)


def later(seconds: float) -> Callable[[], int]:
    """So long after a token was made."""
    return lambda: int(time.time() + seconds)


def _raw_claims(text: str) -> Make:
    """Well signed, with claims that no library would write."""
    return lambda key: key.token(text.replace("@", json.dumps(claims_of(without="exp"))[1:-1]).encode())


def _with(place: int, segment: str) -> Make:
    """A good token with something else in one of its three places."""

    def make(key: SigningKey) -> str:
        parts = key.token().split(".")
        parts[place] = segment
        return ".".join(parts)

    return make


def _as_secret(secret: Callable[[], bytes]) -> Make:
    """Algorithm confusion: what everybody may read serves as a shared secret."""
    return lambda key: shared(secret()).token(kid=key.id)


def _public(encoding: Encoding) -> bytes:
    return signing_key().public_text(encoding)


CLAIMS: dict[str, Make] = {
    "another audience": saying(aud="somewhere-else"),
    "an audience that is a number": saying(aud=7),
    "other audiences": saying(aud=["a", "b"]),
    "no audience": saying(without="aud"),
    "another issuer": saying(iss="somebody-else"),
    "an issuer among others": saying(iss=[ISSUER]),
    "no issuer": saying(without="iss"),
    "no expiry": saying(without="exp"),
    "an expiry of null": saying(exp=None),
    "an expiry that is a word": saying(exp="tomorrow"),
    "an expiry that is no number": saying(exp=float("inf")),
    "an expiry of too many digits": _raw_claims(f'{{@, "exp": {"9" * 5_000}}}'),
    "not valid yet": saying(nbf=later(600)),
    "a start that is a word": saying(nbf="soon"),
    "issued in the future": saying(iat=later(600)),
    "too long": saying(padding="a" * 9_000),
    "no tenant": saying(without="tenant_id"),
    "a tenant that is a number": saying(tenant_id=1),
    "a tenant that breaks the pattern": saying(tenant_id="acme"),
    "a tenant of too many digits": saying(tenant_id="1" * 21),
    "a tenant with a line break": saying(tenant_id="1\n"),
    "no roles": saying(without="roles"),
    "an empty list of roles": saying(roles=[]),
    "an unknown role": saying(roles=["emperor"]),
    "roles in an object": saying(roles={"admin": True}),
    "a subject that is a number": saying(sub=7),
    "claims that are a list": lambda key: key.token(["admin"]),
    "claims that are no JSON": lambda key: key.token(b"{"),
    "claims that are nested without end": lambda key: key.token(b"[" * 3_000),
}
HEADERS: dict[str, Make] = {
    "no algorithm": headed(alg=None),
    "an algorithm that is a number": headed(alg=256),
    "an algorithm in a list": headed(alg=["HS256", "RS256"]),
    "an algorithm that nobody knows": headed(alg="XS256"),
    "a key ID that is a number": headed(kid=7),
    "a key ID in an object": headed(kid={"first": True}),
    "an extension that is critical and unknown": headed(crit=["exp"], exp=1),
    "no extension that is critical": headed(crit=[]),
    "a critical extension that is not there": headed(crit=["b64"]),
    "a critical extension in a word": headed(crit="b64", b64=True),
    "claims that are not encoded": headed(crit=["b64"], b64=False),
    "headers that are a list": lambda key: key.signed(["HS256"], claims_of()),
    "headers that are no JSON": lambda key: key.signed(b"{", claims_of()),
    "headers that are no text": lambda key: key.signed(b"\xff\xfe{}", claims_of()),
    "headers that are nested without end": lambda key: key.signed(b"[" * 3_000, claims_of()),
}
SIGNATURES: dict[str, Make] = {
    "no signature": _with(2, ""),
    "a signature that is too short": _with(2, part(b"x")),
    "a signature of zeros": _with(2, part(bytes(256))),
    "a signature that is not encoded": _with(2, "!!!!"),
    "another tenant put in": _with(1, part(claims_of("2"))),
    "the algorithm none": lambda _: f"{part({'alg': 'none'})}.{part(claims_of())}.",
    "the algorithm nOnE": lambda _: f"{part({'alg': 'nOnE'})}.{part(claims_of())}.",
    "the algorithm none, with a signature": lambda key: SigningKey(lambda: key.private, key.algorithm, key.id).signed(
        {"alg": "none"}, claims_of()
    ),
    "another secret": lambda _: shared("another secret, which is long enough for the job").token(),
    "another key under a known ID": lambda _: STRANGER.token(),
    "a key that it brings along": lambda _: STRANGER.token(jwk=STRANGER.published()),
    "the address of its own keys": lambda _: STRANGER.token(jku=ELSEWHERE, x5u=ELSEWHERE),
    "the right secret with another algorithm": lambda _: shared(SECRET + " and longer" * 9, "HS512").token(),
    "the right key with another hash": lambda _: SigningKey(lambda: signing_key().private, "RS512", "first").token(),
    "the right key with another padding": lambda _: SigningKey(lambda: signing_key().private, "PS256", "first").token(),
    "the right key under another algorithm's name": lambda key: key.token(
        alg="RS256" if key.algorithm == "ES256" else "ES256"
    ),
    "the public key's PEM as the secret": _as_secret(lambda: _public(Encoding.PEM)),
    "the public key's PEM without its last line break": _as_secret(lambda: _public(Encoding.PEM).strip()),
    "the public key's DER as the secret": _as_secret(lambda: _public(Encoding.DER)),
    "the published key as the secret": _as_secret(lambda: json.dumps(signing_key().published()).encode()),
    "no secret as the secret": _as_secret(lambda: b""),
}
FORMS: dict[str, Make] = {
    "rubbish": lambda _: "rubbish",
    "three dots": lambda _: "...",
    "two dots": lambda _: "..",
    "one part too many": lambda key: f"{key.token()}.x",
    "five parts, as if it were encrypted": lambda _: f"{part({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a.b.c.d",
    "a token in a token": lambda key: key.token(key.token().encode()),
    "junk before it": lambda key: f"junk{key.token()}",
    "junk behind it": lambda key: f"{key.token()}junk!",
    "junk for headers": _with(0, "!!!!"),
    "junk for claims": _with(1, "!!!!"),
    "nothing for headers": _with(0, ""),
    "nothing for claims": _with(1, ""),
    "spaces inside": lambda key: key.token().replace(".", " . "),
    "a path for claims": _with(1, "../../etc/passwd"),
}
NEVER = {**CLAIMS, **HEADERS, **SIGNATURES, **FORMS}
COUNTING: dict[str, Make] = {
    "as it should be": headed(),
    "an expiry beyond the calendar": saying(exp=10**15),
    "roles in one string": saying(roles="member admin"),
    "an unknown role beside a known one": saying(roles=["emperor", "admin", 7]),
    "an audience among others": saying(aud=["other", AUDIENCE]),
    "a little too late, by our clock": saying(exp=later(-4)),
    "a little too early, by our clock": saying(nbf=later(4), iat=later(4)),
    "no word of what it is": headed(typ=None),
    "a known extension that is critical": headed(crit=["b64"], b64=True),
    "the address of other keys, which nobody asks": headed(jku=ELSEWHERE, x5u=ELSEWHERE),
}
