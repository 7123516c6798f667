"""The caller that a Keystone token stands for, or the reason for its refusal."""

from app.errors import TokenExpired, Unavailable
from app.model import Caller
from app.upstream.errors import UpstreamError
from app.upstream.identity import RoleMap, caller_of
from app.upstream.keystone import Keystone, TokenRefused

NOT_GOOD = "Keystone does not accept the token: it has expired or was revoked, or its user or project is gone."
AWAY = "Keystone can't say just now whether this token is good. Try again in a moment."


class Authority:
    """Lets a token speak for itself, which needs no rights of ours."""

    def __init__(self, keystone: Keystone, roles: RoleMap, tenant_id_pattern: str) -> None:
        self._keystone = keystone
        self._roles = roles
        self._tenant_id_pattern = tenant_id_pattern

    async def caller(self, token: str) -> Caller:
        """Raises Unauthenticated, or Unavailable."""
        try:
            described = await self._keystone.describe(token)
        except TokenRefused:
            raise TokenExpired(NOT_GOOD) from None  # a fresh one would help
        except UpstreamError:
            raise Unavailable(AWAY) from None
        return caller_of(described, token, self._roles, self._tenant_id_pattern)
