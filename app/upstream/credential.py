"""The gateway's own token, with which it reads what has changed: issued when needed, and renewed before it ends."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from app.errors import SetupError
from app.settings import Settings
from app.upstream.keystone import IssuedToken, Keystone

RENEWED_BEFORE = timedelta(minutes=2)


class Credential:
    """Issues one token at a time, whoever asks."""

    def __init__(self, keystone: Keystone, auth: Mapping[str, Any]) -> None:
        self._keystone = keystone
        self._auth = auth
        self._issued: IssuedToken | None = None
        self._turn = asyncio.Lock()

    async def token(self) -> str:
        """Raises UpstreamError."""
        async with self._turn:
            if self._issued is None or self._issued.expires_at - RENEWED_BEFORE < datetime.now(UTC):
                self._issued = await self._keystone.issue(self._auth)
            return self._issued.id

    def discard(self, token: str) -> None:
        """The token has turned out not to be good any more."""
        if self._issued is not None and self._issued.id == token:
            self._issued = None


def auth_of(settings: Settings) -> dict[str, Any]:
    """The gateway's own authentication: an application credential, or a user and password."""
    if settings.upstream_application_credential_id is not None:
        secret = settings.upstream_application_credential_secret
        if secret is None:
            raise SetupError("IMAGE_GATEWAY_UPSTREAM_APPLICATION_CREDENTIAL_SECRET is missing.")
        credential = {"id": settings.upstream_application_credential_id, "secret": secret.get_secret_value()}
        return {"identity": {"methods": ["application_credential"], "application_credential": credential}}
    if settings.upstream_username is None or settings.upstream_password is None or settings.upstream_project is None:
        raise SetupError(
            "The gateway needs a credential to read Glance with. Set IMAGE_GATEWAY_UPSTREAM_APPLICATION_CREDENTIAL_ID "
            "and ..._SECRET, or IMAGE_GATEWAY_UPSTREAM_USERNAME, ..._PASSWORD and ..._PROJECT."
        )
    domain = {"name": settings.upstream_domain}
    password = settings.upstream_password.get_secret_value()
    user = {"name": settings.upstream_username, "domain": domain, "password": password}
    return {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": {"name": settings.upstream_project, "domain": domain}},
    }
