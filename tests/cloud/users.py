"""The users of a cloud as callers of the gateway in front of it."""

from typing import Any

from tests.cloud.cloud import Cloud
from tests.harness.gateway import PATIENCE_SECONDS, Gateway, Tenant
from tests.harness.waiting import poll


class Front:
    """A gateway in front of the cloud, and the users who call it."""

    def __init__(self, cloud: Cloud, gateway: Gateway) -> None:
        self.cloud = cloud
        self.gateway = gateway

    async def user(self, name: str) -> Tenant:
        """This user, as Keystone says who it is."""
        upstream: Any = self.gateway.services.upstream
        return Tenant(self.gateway, await upstream._front.authority.caller(await self.cloud.token(name)))

    async def image(self, **fields: Any) -> str:
        """A new image of the producer's project, once the gateway has read it: from now on its changes make events."""
        image_id, producer = await self.cloud.image(**fields), await self.user("producer")

        async def is_there() -> bool:
            return (await producer.get("query($id: ID!) { image(id: $id) { id } }", id=image_id))["image"] is not None

        await poll(is_there, 3 * PATIENCE_SECONDS)
        return image_id
