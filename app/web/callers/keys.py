"""Which keys of a published key set (RFC 7517) verify tokens."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MAX_KEYS = 100
MAX_KEY_ID = 256
RSA_BITS = range(2_048, 8_193)
# The types of keys, each with its curve if it has one, and the algorithms that may use them.
ALGORITHMS = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the algorithm that it verifies with. Equal ones are one key, however often it was read."""

    id: str | None
    algorithm: str
    material: bytes = field(repr=False)
    jwk: jwt.PyJWK = field(repr=False, compare=False)


class NoKeys(Exception):
    """The key server has no keys to give; the message says why."""


def read(document: bytes, allowed: Iterable[str]) -> frozenset[Key]:
    """The keys that count, once for each allowed algorithm that may use them. Raises NoKeys when there are none.

    Passed over are keys for other purposes, of other types and algorithms, secret ones, and RSA keys of odd sizes.
    """
    try:
        parsed: Any = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise NoKeys("its answer is not JSON") from None
    listed: Any = cast(dict[str, Any], parsed).get("keys") if isinstance(parsed, dict) else None
    if not isinstance(listed, list):
        raise NoKeys("its answer is not a JSON Web Key Set")
    members = cast(list[Any], listed)
    if len(members) > MAX_KEYS:
        raise NoKeys(f"it lists {len(members)} keys, and {MAX_KEYS} are the most")
    keys = frozenset(key for member in members for key in _keys(member, frozenset(allowed)))
    if not keys:
        raise NoKeys(f"none of its {len(members)} keys is for signatures by {', '.join(sorted(allowed))}")
    return keys


def _keys(member: Any, allowed: frozenset[str]) -> Iterator[Key]:
    if not isinstance(member, dict):
        return
    fields = cast(dict[str, Any], member)
    id: Any = fields.get("kid")
    if not _is_for_signatures(fields) or not (id is None or (isinstance(id, str) and len(id) <= MAX_KEY_ID)):
        return
    for algorithm in _algorithms(fields):
        if algorithm in allowed and (key := _made(id, algorithm, fields)) is not None:
            yield key


def _is_for_signatures(fields: dict[str, Any]) -> bool:
    """Whether it is meant for this. A private key that lies about in public proves nothing about who signs with it."""
    operations = fields.get("key_ops") or ["verify"]
    is_meant = fields.get("use") in (None, "sig") and isinstance(operations, list) and "verify" in operations
    return is_meant and "d" not in fields


def _algorithms(fields: dict[str, Any]) -> tuple[str, ...]:
    """Those that the key is for: the one that it names, or all that fit its type."""
    kind, curve = fields.get("kty"), fields.get("crv")
    if not isinstance(kind, str) or not (curve is None or isinstance(curve, str)):
        return ()
    fitting = ALGORITHMS.get((kind, curve), ())
    return tuple(one for one in fitting if fields.get("alg") in (None, one))


def _made(id: str | None, algorithm: str, fields: dict[str, Any]) -> Key | None:
    try:
        jwk = jwt.PyJWK(fields, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(jwk.key, RSAPublicKey) and jwk.key.key_size not in RSA_BITS:
        return None
    return Key(id, algorithm, jwk.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), jwk)
