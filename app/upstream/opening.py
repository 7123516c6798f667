"""The upstream that the settings name."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from app.errors import SetupError
from app.settings import Settings
from app.upstream.authority import Authority
from app.upstream.credential import Credential, auth_of
from app.upstream.glance import Glance
from app.upstream.identity import RoleMap, role_map
from app.upstream.keystone import Keystone
from app.upstream.projects import ProjectReader
from app.upstream.reading import ImageReader
from app.upstream.service import Service


@dataclass(frozen=True)
class Upstream:
    """The services of an upstream: Keystone, Glance, and the gateway's own credential."""

    keystone: Keystone
    authority: Authority
    glance: Glance
    credential: Credential
    # The clients of both services by name, for their figures.
    services: Mapping[str, Service]

    async def close(self) -> None:
        await self.keystone.close()
        await self.glance.close()


def open_upstream(settings: Settings) -> Upstream | None:
    """None where the gateway keeps the images itself. Nothing is called yet. Raises SetupError."""
    if settings.upstream is None:
        return None
    if settings.upstream_keystone_url is None or settings.upstream_glance_url is None:
        raise SetupError(
            "IMAGE_GATEWAY_UPSTREAM needs IMAGE_GATEWAY_UPSTREAM_KEYSTONE_URL and IMAGE_GATEWAY_UPSTREAM_GLANCE_URL."
        )
    if settings.upstream_bus_url is not None and find_spec("aio_pika") is None:
        raise SetupError("Notifications need aio-pika: pip install 'image-sharing-gateway[notifications]'.")
    auth, seconds = auth_of(settings), settings.upstream_seconds
    identity, service = (
        Service(settings.upstream_keystone_url, seconds),
        Service(settings.upstream_glance_url + "/v2", seconds),
    )
    keystone = Keystone(identity)
    credential = Credential(lambda: keystone.issue(auth))
    is_whole = settings.upstream_read_access == "cloud"
    reader = ImageReader(service, credential) if is_whole else ProjectReader(service, keystone, credential)
    return Upstream(
        keystone,
        Authority(keystone, _roles(settings), settings.tenant_id_pattern),
        Glance(service, reader),
        credential,
        {"keystone": identity, "glance": service},
    )


def _roles(settings: Settings) -> RoleMap:
    try:
        return role_map(settings.upstream_roles)
    except ValueError as error:
        raise SetupError(f"IMAGE_GATEWAY_UPSTREAM_ROLES: {error}.") from None
