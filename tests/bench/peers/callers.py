"""Authenticates callers of the Python peers: each token is verified once and cached, as in the gateway."""

import os
from functools import lru_cache
from time import time
from typing import Any

import jwt

SECRET = os.environ.get("BENCH_SECRET", "")


def caller(authorization: str) -> str:
    """The tenant of an Authorization header."""
    tenant_id, expires = _verify(authorization.removeprefix("Bearer "))
    if expires <= time():
        raise PermissionError("the token has expired")
    return tenant_id


@lru_cache(maxsize=10_000)
def _verify(token: str) -> tuple[str, float]:
    claims: dict[str, Any] = jwt.decode(
        token,
        SECRET,
        algorithms=["HS256"],
        audience="image-gateway",
        issuer="image-gateway",
        options={"require": ["exp", "aud", "iss"]},
    )
    return claims["tenant_id"], claims["exp"]
