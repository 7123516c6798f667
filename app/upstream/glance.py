"""Glance v2: reading an image with its members, and changing them with the caller's own token."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast
from urllib.parse import quote

from app.model import MemberStatus, SeenImage
from app.upstream.credential import Credential
from app.upstream.errors import Refused, Unanswered
from app.upstream.service import Response, Service
from app.upstream.views import MemberView, View, image_view, member_views

PATCH = "application/openstack-images-v2.1-json-patch"
# Glance's own maximum. Sorted by what never changes: a marker that moved would let pages skip images silently.
PAGE = 1_000
ORDER = "created_at:asc,id:asc"
# An image that changes between the two reads of a view is read again.
READS = 3
_CLOSED = Response(403, {}, None)


class Glance:
    """A client of Glance. `reader` is the credential that sees every image and its members."""

    def __init__(self, url: str, seconds: float, reader: Credential) -> None:
        self._service = Service(url + "/v2", seconds)
        self._reader = reader

    async def view(self, image_id: str) -> View | None:
        """The image with its members as of now, None when it does not exist. Raises UpstreamError."""
        for _ in range(READS):
            found, members = await asyncio.gather(self._read(_image(image_id)), self._members(image_id))
            if found is None:
                return None
            image = image_view(found.body)
            if members is _CLOSED:
                return View(image, None)
            if members is not None:
                rows, duplicates = member_views(members.body)
                # Glance lets an owner offer to itself, which leads nowhere.
                rows.pop(image.owner_id or "", None)
                return View(image, rows, duplicates)
        raise Unanswered("the image changes faster than it can be read")

    async def _members(self, image_id: str) -> Response | None:
        """The members of an image; `_CLOSED` while nobody may read them."""
        try:
            return await self._read(_members(image_id))
        except Refused as refused:
            if refused.status != 403:
                raise
            return _CLOSED

    async def images(self, **filters: str) -> AsyncGenerator[SeenImage]:
        """All images that fit, hidden ones included, page by page. Raises UpstreamError."""
        for hidden in ("false", "true"):
            params = {"visibility": "all", "os_hidden": hidden, "limit": str(PAGE), "sort": ORDER, **filters}
            path: str | None = "/images"
            while path is not None:
                page = await self._read(path, params if path == "/images" else None)
                body = cast(dict[str, Any], page.body if page is not None else {})
                for image in body.get("images", ()):
                    yield image_view(image)
                path = _next(body)

    async def is_empty(self) -> bool:
        """Whether the gateway's credential sees no image at all. Raises UpstreamError."""
        page = await self._read("/images", {"visibility": "all", "limit": "1"})
        return page is None or not page.body.get("images")

    async def shows(self, token: str, image_id: str) -> bool:
        """Whether the caller may see the image. Raises UpstreamError."""
        try:
            await self._service.call("GET", _image(image_id), _as(token))
        except Refused as refused:
            if refused.status in (403, 404):
                return False
            raise
        return True

    async def offer(self, token: str, image_id: str, tenant_id: str) -> MemberView:
        answer = await self._service.call("POST", _members(image_id), _as(token), body={"member": tenant_id})
        return _one_member(answer)

    async def answer(self, token: str, image_id: str, tenant_id: str, status: MemberStatus) -> MemberView:
        body = {"status": status.value.lower()}
        return _one_member(await self._service.call("PUT", _member(image_id, tenant_id), _as(token), body=body))

    async def revoke(self, token: str, image_id: str, tenant_id: str) -> None:
        await self._service.call("DELETE", _member(image_id, tenant_id), _as(token))

    async def update(self, token: str, image_id: str, changes: Mapping[str, Any]) -> None:
        """Change fields of an image, by Glance's names for them."""
        steps = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in changes.items()]
        await self._service.call("PATCH", _image(image_id), _as(token), body=steps, content_type=PATCH)

    async def deactivate(self, token: str, image_id: str) -> None:
        await self._service.call("POST", f"{_image(image_id)}/actions/deactivate", _as(token))

    async def reactivate(self, token: str, image_id: str) -> None:
        await self._service.call("POST", f"{_image(image_id)}/actions/reactivate", _as(token))

    async def delete(self, token: str, image_id: str) -> None:
        await self._service.call("DELETE", _image(image_id), _as(token))

    async def close(self) -> None:
        await self._service.close()

    async def _read(self, path: str, params: Mapping[str, str] | None = None) -> Response | None:
        """Read with the gateway's own credential; None for what does not exist. A token that has ended is renewed."""
        token = await self._reader.token()
        try:
            return await self._get(path, token, params)
        except Refused as refused:
            if refused.status != 401:
                raise
        self._reader.discard(token)
        return await self._get(path, await self._reader.token(), params)

    async def _get(self, path: str, token: str, params: Mapping[str, str] | None) -> Response | None:
        try:
            return await self._service.call("GET", path, _as(token), params=params)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise


def _as(token: str) -> dict[str, str]:
    return {"x-auth-token": token}


def _image(image_id: str) -> str:
    return f"/images/{quote(image_id, safe='')}"


def _members(image_id: str) -> str:
    return f"{_image(image_id)}/members"


def _member(image_id: str, tenant_id: str) -> str:
    return f"{_members(image_id)}/{quote(tenant_id, safe='')}"


def _next(page: Mapping[str, Any]) -> str | None:
    """The path of the next page, below the version."""
    link: Any = page.get("next")
    return link.removeprefix("/v2") if isinstance(link, str) else None


def _one_member(answer: Response) -> MemberView:
    [member] = member_views({"members": [answer.body]})[0].values()
    return member
