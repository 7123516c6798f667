"""Who is calling a peer in Python: a token is verified once and then remembered, as the gateway does."""

import os
from functools import lru_cache
from time import time
from typing import Any

import jwt

SECRET = os.environ.get("BENCH_SECRET", "")


def caller(authorization: str) -> str:
    """The tenant of an Authorization header."""
    tenant_id, expires = _verified(authorization.removeprefix("Bearer "))
    if expires <= time():
        raise PermissionError("the token has expired")
    return tenant_id


@lru_cache(maxsize=10_000)
def _verified(token: str) -> tuple[str, float]:
    claims: dict[str, Any] = jwt.decode(
        token,
        SECRET,
        algorithms=["HS256"],
        audience="image-gateway",
        issuer="image-gateway",
        options={"require": ["exp", "aud", "iss"]},
    )
    return claims["tenant_id"], claims["exp"]
