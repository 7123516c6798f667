"""Keystone v3: who a token speaks for, and the gateway's own token."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from app.upstream.errors import Refused, Unanswered
from app.upstream.identity import expiry
from app.upstream.service import Response, Service

TOKENS, PROJECTS = "/auth/tokens", "/auth/projects"
# By 401 and 404 Keystone says of a token that asks for itself: expired, revoked, or its project or user is gone.
NOT_GOOD = frozenset({401, 404})


class TokenRefused(Exception):
    """Keystone knows no such token, or no longer."""


class IssuedToken(NamedTuple):
    id: str
    expires_at: datetime


class Keystone:
    """A client of Keystone; its URL ends with `/v3`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def describe(self, token: str) -> Mapping[str, Any]:
        """Keystone's description of a token, requested with that token. Raises TokenRefused or UpstreamError."""
        headers = {"x-auth-token": token, "x-subject-token": token}
        try:
            answer = await self._service.call("GET", TOKENS, headers, params={"nocatalog": ""})
        except Refused as refused:
            if refused.status in NOT_GOOD:
                raise TokenRefused from None
            raise
        return _token_in(answer)

    async def issue(self, auth: Mapping[str, Any]) -> IssuedToken:
        """A token for the gateway itself. Raises UpstreamError."""
        answer = await self._service.call("POST", TOKENS, {}, params={"nocatalog": ""}, body={"auth": auth})
        token = answer.headers.get("x-subject-token")
        if not token:
            raise Unanswered("Keystone issued no token")
        return IssuedToken(token, expiry(_token_in(answer)))

    async def issue_for(self, token: str, project_id: str) -> IssuedToken:
        """A token of the same user for another project. Raises UpstreamError."""
        identity = {"methods": ["token"], "token": {"id": token}}
        return await self.issue({"identity": identity, "scope": {"project": {"id": project_id}}})

    async def projects(self, token: str) -> list[str]:
        """The IDs of the enabled projects in which the token's user has a role. Raises UpstreamError."""
        answer = await self._service.call("GET", PROJECTS, {"x-auth-token": token})
        try:
            return [str(project["id"]) for project in answer.body["projects"] if project.get("enabled", True)]
        except (KeyError, TypeError):
            raise Unanswered("Keystone lists projects in an unknown way") from None

    async def close(self) -> None:
        await self._service.close()


def _token_in(answer: Response) -> Mapping[str, Any]:
    body: Any = answer.body
    token = cast(dict[str, Any], body).get("token") if isinstance(body, dict) else None
    if not isinstance(token, dict):
        raise Unanswered("Keystone's answer holds no token")
    return cast(dict[str, Any], token)
