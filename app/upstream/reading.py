"""Reading images and their members in Glance, with one credential of the gateway's own."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast
from urllib.parse import quote
from uuid import uuid4

from app.model import SeenImage
from app.upstream.credential import Credential
from app.upstream.errors import Refused, Unanswered
from app.upstream.service import Response, Service
from app.upstream.views import View, image_view, member_views

# Glance's own maximum. Sorted by what never changes: a marker that moved would let pages skip images silently.
PAGE = 1_000
ORDER = "created_at:asc,id:asc"
# An image that changes between the two reads of a view is read again.
READS = 3
PATCH = "application/openstack-images-v2.1-json-patch"
_CLOSED = Response(403, {}, None)


class ImageReader:
    """Reads the images that its credential may see."""

    def __init__(self, service: Service, credential: Credential) -> None:
        self._service = service
        self._credential = credential

    async def view(self, image_id: str, owner_id: str | None = None) -> View | None:
        """The image with its members as of now, None when it can't be seen. Raises UpstreamError."""
        for _ in range(READS):
            image, members = await asyncio.gather(self.image(image_id), self._members(image_id))
            if image is None:
                return None
            if members is _CLOSED:
                return View(image, None)
            if members is not None:
                rows, duplicates = member_views(members.body)
                # Glance lets an owner offer to itself, which leads nowhere.
                rows.pop(image.owner_id or "", None)
                return View(image, rows, duplicates)
        raise Unanswered("the image changes faster than it can be read")

    async def image(self, image_id: str) -> SeenImage | None:
        """Raises UpstreamError."""
        found = await self._read(image_path(image_id))
        return None if found is None else image_view(found.body)

    async def images(self, **filters: str) -> AsyncGenerator[SeenImage]:
        """All images that match, hidden ones included, page by page. Raises UpstreamError."""
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
        """Whether the credential sees no image at all. Raises UpstreamError."""
        page = await self._read("/images", {"visibility": "all", "limit": "1"})
        return page is None or not page.body.get("images")

    async def may_change(self, image: SeenImage) -> bool:
        """Whether Glance would let the credential change the image. Raises UpstreamError.

        The change can't be made: it removes a property that no image has.
        """
        body = [{"op": "remove", "path": f"/{uuid4()}"}]
        headers = headers_of(await self._credential.token())
        try:
            await self._service.call("PATCH", image_path(image.id), headers, body=body, content_type=PATCH)
        except Refused as refused:
            return refused.status == 409
        return True

    async def _members(self, image_id: str) -> Response | None:
        """The members of an image; `_CLOSED` while nobody may read them."""
        try:
            return await self._read(members_path(image_id))
        except Refused as refused:
            if refused.status != 403:
                raise
            return _CLOSED

    async def _read(self, path: str, params: Mapping[str, str] | None = None) -> Response | None:
        """Read; None for what does not exist. A token that has ended is renewed."""
        token = await self._credential.token()
        try:
            return await self._get(path, token, params)
        except Refused as refused:
            if refused.status != 401:
                raise
        self._credential.discard(token)
        return await self._get(path, await self._credential.token(), params)

    async def _get(self, path: str, token: str, params: Mapping[str, str] | None) -> Response | None:
        try:
            return await self._service.call("GET", path, headers_of(token), params=params)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise


def headers_of(token: str) -> dict[str, str]:
    return {"x-auth-token": token}


def image_path(image_id: str) -> str:
    return f"/images/{quote(image_id, safe='')}"


def members_path(image_id: str) -> str:
    return f"{image_path(image_id)}/members"


def _next(page: Mapping[str, Any]) -> str | None:
    """The path of the next page, below the version."""
    link: Any = page.get("next")
    return link.removeprefix("/v2") if isinstance(link, str) else None
