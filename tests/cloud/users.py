"""The users of a cloud as callers of the gateway in front of it."""

from typing import Any

from tests.cloud.cloud import Cloud
from tests.harness.gateway import Gateway, Tenant


class Front:
    """A gateway in front of the cloud, and the users who call it."""

    def __init__(self, cloud: Cloud, gateway: Gateway) -> None:
        self.cloud = cloud
        self.gateway = gateway

    async def user(self, name: str) -> Tenant:
        """This user, as Keystone says who it is."""
        upstream: Any = self.gateway.services.upstream
        return Tenant(self.gateway, await upstream._front.authority.caller(await self.cloud.token(name)))
