"""Parses published key sets (RFC 7517), and selects the keys that may verify tokens."""

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
# Key types with their curves, and the algorithms that may use them.
ALGORITHMS = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key for one algorithm. Keys with equal material are equal, however often they are parsed."""

    id: str | None
    algorithm: str
    material: bytes = field(repr=False)
    jwk: jwt.PyJWK = field(repr=False, compare=False)


class NoKeys(Exception):
    """The key server has no usable keys; the message says why."""


def parse_keys(document: bytes, allowed: Iterable[str], issuer: str | None = None) -> frozenset[Key]:
    """The usable keys, once for each allowed algorithm. Raises NoKeys if there are none.

    Skips keys for other purposes, of other types and algorithms, private keys, RSA keys of unusual sizes, and those
    that name another issuer than this one. (Entra ID publishes the keys of several issuers in one set.)
    """
    listed: Any = parse_object(document).get("keys")
    if not isinstance(listed, list):
        raise NoKeys("its response is not a JSON Web Key Set")
    members = [one for one in cast(list[Any], listed) if issuer is None or _names_issuer(one, issuer)]
    if len(members) > MAX_KEYS:
        raise NoKeys(f"it lists {len(members)} keys, more than {MAX_KEYS}")
    keys = frozenset(key for member in members for key in _keys(member, frozenset(allowed)))
    if not keys:
        raise NoKeys(f"none of its {len(members)} keys is for signatures by {', '.join(sorted(allowed))}")
    return keys


def parse_object(document: bytes) -> dict[str, Any]:
    """The JSON object that a server sent; empty for other JSON. Raises NoKeys."""
    try:
        parsed: Any = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise NoKeys("its response is not JSON") from None
    return cast(dict[str, Any], parsed) if isinstance(parsed, dict) else {}


def _names_issuer(member: Any, issuer: str) -> bool:
    return not isinstance(member, dict) or cast(dict[str, Any], member).get("issuer", issuer) == issuer


def _keys(member: Any, allowed: frozenset[str]) -> Iterator[Key]:
    if not isinstance(member, dict):
        return
    fields = cast(dict[str, Any], member)
    id: Any = fields.get("kid")
    if not _is_for_signatures(fields) or not (id is None or (isinstance(id, str) and len(id) <= MAX_KEY_ID)):
        return
    for algorithm in _algorithms(fields):
        if algorithm in allowed and (key := _make_key(id, algorithm, fields)) is not None:
            yield key


def _is_for_signatures(fields: dict[str, Any]) -> bool:
    """Whether the key is a public one for verifying signatures. Anyone could sign with a published private key."""
    operations = fields.get("key_ops") or ["verify"]
    is_meant = fields.get("use") in (None, "sig") and isinstance(operations, list) and "verify" in operations
    return is_meant and "d" not in fields


def _algorithms(fields: dict[str, Any]) -> tuple[str, ...]:
    """The algorithm that the key names, or else all algorithms of its type."""
    kind, curve = fields.get("kty"), fields.get("crv")
    if not isinstance(kind, str) or not (curve is None or isinstance(curve, str)):
        return ()
    algorithms = ALGORITHMS.get((kind, curve), ())
    return tuple(one for one in algorithms if fields.get("alg") in (None, one))


def _make_key(id: str | None, algorithm: str, fields: dict[str, Any]) -> Key | None:
    try:
        jwk = jwt.PyJWK(fields, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(jwk.key, RSAPublicKey) and jwk.key.key_size not in RSA_BITS:
        return None
    return Key(id, algorithm, jwk.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), jwk)
