"""An identity provider: its keys of every type, its JWKs, and the tokens that it signs."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = AUDIENCE = "image-gateway"
_CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


def claims_for(tenant_id: str = "1", without: str = "", **changes: Any) -> dict[str, Any]:
    """The claims of a valid token, with changes."""
    now = int(time.time())
    claims: dict[str, Any] = {"tenant_id": tenant_id, "roles": ["admin"], "sub": "me", "iss": ISSUER, "aud": AUDIENCE}
    claims = {**claims, "iat": now, "exp": now + 600, **changes}
    claims.pop(without, None)
    return claims


@dataclass(frozen=True)
class SigningKey:
    """A key of the provider and its ID. The key is generated when it is first used."""

    make: Callable[[], Any]
    algorithm: str
    id: str | None

    @cached_property
    def private(self) -> Any:
        return self.make()

    def token(self, claims: object = None, **header: Any) -> str:
        """A token signed with this key. Headers that are None are left out."""
        named = {"alg": self.algorithm, "typ": "JWT", "kid": self.id, **header}
        return self.sign({k: v for k, v in named.items() if v is not None}, claims_for() if claims is None else claims)

    def sign(self, header: object, claims: object) -> str:
        """Sign any header and claims, also invalid ones."""
        signing_input = f"{encode_segment(header)}.{encode_segment(claims)}"
        return f"{signing_input}.{encode_segment(self.signature(signing_input))}"

    def signature(self, signing_input: str) -> bytes:
        """The correct signature of any text."""
        return jwt.get_algorithm_by_name(self.algorithm).sign(signing_input.encode(), self.private)

    def public_jwk(self, **changes: Any) -> dict[str, Any]:
        """The public JWK of this key, with changes. Fields that are None are left out."""
        of_kind = jwt.get_algorithm_by_name(self.algorithm)
        public: Any = of_kind.to_jwk(self.private.public_key(), as_dict=True)
        member = {**public, "use": "sig", "alg": self.algorithm, "kid": self.id, **changes}
        return {name: value for name, value in member.items() if value is not None}

    def private_jwk(self) -> dict[str, Any]:
        """The JWK with its private part, which no provider should publish."""
        return {**self.public_jwk(), **cast(Any, jwt.get_algorithm_by_name(self.algorithm)).to_jwk(self.private, True)}

    def public_bytes(self, encoding: Encoding = Encoding.PEM) -> bytes:
        """The encoded public key, which a careless verifier may use as a shared secret."""
        return self.private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def shared_secret(secret: str | bytes, algorithm: str = "HS256") -> SigningKey:
    """A key from a secret that the gateway shares."""
    return SigningKey(lambda: secret.encode() if isinstance(secret, str) else secret, algorithm, None)


@cache
def signing_key(id: str | None = "first", algorithm: str = "RS256", bits: int = 2_048) -> SigningKey:
    """A key of the provider; equal arguments return the same key."""
    if algorithm == "EdDSA":
        return SigningKey(ed25519.Ed25519PrivateKey.generate, algorithm, id)
    if algorithm in _CURVES:
        return SigningKey(lambda: ec.generate_private_key(_CURVES[algorithm]()), algorithm, id)
    return SigningKey(lambda: rsa.generate_private_key(65_537, bits), algorithm, id)


def ed448_key() -> SigningKey:
    return SigningKey(ed448.Ed448PrivateKey.generate, "EdDSA", "448")


def encode_segment(value: object) -> str:
    """Encode a value as a segment of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
