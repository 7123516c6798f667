"""Glance v2: reading an image with its members, and changing them with the caller's own token."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from app.model import MemberStatus, SeenImage
from app.upstream.errors import Refused
from app.upstream.reading import PATCH, headers_of, image_path, members_path
from app.upstream.service import Response, Service
from app.upstream.views import MemberView, View, member_views


class Reader(Protocol):
    """Reads images with the gateway's own credential. Every method raises UpstreamError."""

    async def view(self, image_id: str, owner_id: str | None) -> View | None: ...

    def images(self, **filters: str) -> AsyncGenerator[SeenImage]: ...

    async def is_empty(self) -> bool: ...

    async def may_change(self, image: SeenImage) -> bool: ...


class Glance:
    """A client of Glance. `reader` reads with the gateway's own credential."""

    def __init__(self, service: Service, reader: Reader) -> None:
        self._service = service
        self._reader = reader

    async def view(self, image_id: str, owner_id: str | None = None) -> View | None:
        """The image with its members as of now, None when it does not exist. `owner_id` is the owner if it is known.

        Raises UpstreamError.
        """
        return await self._reader.view(image_id, owner_id)

    def images(self, **filters: str) -> AsyncGenerator[SeenImage]:
        """All images that match, hidden ones included. Raises UpstreamError."""
        return self._reader.images(**filters)

    async def is_empty(self) -> bool:
        """Whether the gateway's credential sees no image at all. Raises UpstreamError."""
        return await self._reader.is_empty()

    async def may_change(self, image: SeenImage) -> bool:
        """Whether the gateway's credential may change the image, which it should not. Raises UpstreamError."""
        return await self._reader.may_change(image)

    async def shows(self, token: str, image_id: str) -> bool:
        """Whether the caller may see the image. Raises UpstreamError."""
        try:
            await self._service.call("GET", image_path(image_id), headers_of(token))
        except Refused as refused:
            if refused.status in (403, 404):
                return False
            raise
        return True

    async def offer(self, token: str, image_id: str, tenant_id: str) -> MemberView:
        answer = await self._service.call("POST", members_path(image_id), headers_of(token), body={"member": tenant_id})
        return _one_member(answer)

    async def answer(self, token: str, image_id: str, tenant_id: str, status: MemberStatus) -> MemberView:
        body = {"status": status.value.lower()}
        return _one_member(await self._service.call("PUT", _member(image_id, tenant_id), headers_of(token), body=body))

    async def revoke(self, token: str, image_id: str, tenant_id: str) -> None:
        await self._service.call("DELETE", _member(image_id, tenant_id), headers_of(token))

    async def update(self, token: str, image_id: str, changes: Mapping[str, Any]) -> None:
        """Change fields of an image, by Glance's names for them."""
        steps = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in changes.items()]
        await self._service.call("PATCH", image_path(image_id), headers_of(token), body=steps, content_type=PATCH)

    async def deactivate(self, token: str, image_id: str) -> None:
        await self._service.call("POST", f"{image_path(image_id)}/actions/deactivate", headers_of(token))

    async def reactivate(self, token: str, image_id: str) -> None:
        await self._service.call("POST", f"{image_path(image_id)}/actions/reactivate", headers_of(token))

    async def delete(self, token: str, image_id: str) -> None:
        await self._service.call("DELETE", image_path(image_id), headers_of(token))

    async def close(self) -> None:
        await self._service.close()


def _member(image_id: str, tenant_id: str) -> str:
    return f"{members_path(image_id)}/{quote(tenant_id, safe='')}"


def _one_member(answer: Response) -> MemberView:
    [member] = member_views({"members": [answer.body]})[0].values()
    return member
