"""The gateway's own token, with which it reads what has changed: issued when needed, and renewed before it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from app.errors import SetupError
from app.settings import Settings
from app.upstream.keystone import IssuedToken

RENEWED_BEFORE = timedelta(minutes=2)


class Credential:
    """Has one token issued at a time, however many calls wait for it."""

    def __init__(self, issue: Callable[[], Awaitable[IssuedToken]]) -> None:
        self._issue = issue
        self._issued: IssuedToken | None = None
        self._turn = asyncio.Lock()

    async def token(self) -> str:
        """Raises UpstreamError."""
        async with self._turn:
            if self._issued is None or self._issued.expires_at - RENEWED_BEFORE < datetime.now(UTC):
                self._issued = await self._issue()
            return self._issued.id

    def discard(self, token: str) -> None:
        """The token has turned out not to be good any more."""
        if self._issued is not None and self._issued.id == token:
            self._issued = None


def auth_of(settings: Settings) -> dict[str, Any]:
    """The gateway's own authentication: an application credential, or a user and password. Raises SetupError."""
    reads_projects = settings.upstream_read_access == "projects"
    if settings.upstream_application_credential_id is not None:
        if reads_projects:
            raise SetupError(
                "An application credential is for one project. To read with a role in each of them, set "
                "IMAGE_GATEWAY_UPSTREAM_USERNAME and ..._PASSWORD instead."
            )
        secret = settings.upstream_application_credential_secret
        if secret is None:
            raise SetupError("IMAGE_GATEWAY_UPSTREAM_APPLICATION_CREDENTIAL_SECRET is missing.")
        credential = {"id": settings.upstream_application_credential_id, "secret": secret.get_secret_value()}
        return {"identity": {"methods": ["application_credential"], "application_credential": credential}}
    name, password, project = settings.upstream_username, settings.upstream_password, settings.upstream_project
    if name is None or password is None or (project is None and not reads_projects):
        raise SetupError(
            "The gateway needs a credential to read Glance with. Set IMAGE_GATEWAY_UPSTREAM_APPLICATION_CREDENTIAL_ID "
            "and ..._SECRET, or IMAGE_GATEWAY_UPSTREAM_USERNAME, ..._PASSWORD and ..._PROJECT."
        )
    domain = {"name": settings.upstream_domain}
    user = {"name": name, "domain": domain, "password": password.get_secret_value()}
    return {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": "unscoped" if reads_projects else {"project": {"name": project, "domain": domain}},
    }
