"""Reading with a role in each project instead of one that sees the whole cloud: one token for each project."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import structlog

from app.model import SeenImage
from app.upstream.credential import Credential
from app.upstream.errors import Refused, Unreadable
from app.upstream.keystone import NOT_GOOD, IssuedToken, Keystone
from app.upstream.reading import ImageReader
from app.upstream.service import Service
from app.upstream.views import View

# A new project is noticed after this time.
LIST_SECONDS = 60.0
T = TypeVar("T")
logger: Any = structlog.get_logger("mirror")


class ProjectReader:
    """Reads each image with a token for the project that owns it, since only its owner sees all its members."""

    def __init__(self, service: Service, keystone: Keystone, credential: Credential) -> None:
        self._service = service
        self._keystone = keystone
        self._credential = credential
        self._readers: dict[str, ImageReader] = {}
        self._listed_until = 0.0

    async def view(self, image_id: str, owner_id: str | None = None) -> View | None:
        """The image with its members as of now, None when no readable project has it.

        Raises Unreadable if its owner is a project that the credential may not read, or another UpstreamError.
        """
        readers = await self._current_readers()
        if owner_id is not None and (view := await _reader_of(owner_id, readers).view(image_id)) is not None:
            return view
        for reader in readers.values():
            if (image := await reader.image(image_id)) is not None:
                return await _reader_of(image.owner_id or "", readers).view(image_id)
        return None

    async def images(self, **filters: str) -> AsyncGenerator[SeenImage]:
        """The images of all readable projects, hidden ones included. Raises UpstreamError."""
        readers = dict(await self._current_readers())
        unreadable = 0
        for project_id, reader in readers.items():
            try:
                async for image in reader.images(owner=project_id, **filters):
                    yield image
            except Unreadable as error:  # it has been disabled, or the role in it has ended
                unreadable += 1
                logger.warning("a project is left out", reason=str(error))
        if unreadable == len(readers):
            raise Unreadable("none of the projects can be read any more")

    async def is_empty(self) -> bool:
        """Whether none of the projects sees any image. Raises UpstreamError."""
        for reader in (await self._current_readers()).values():
            with suppress(Unreadable):
                if not await reader.is_empty():
                    return False
        return True

    async def may_change(self, image: SeenImage) -> bool:
        """Whether Glance would let the user change the image. Raises UpstreamError."""
        return await _reader_of(image.owner_id or "", await self._current_readers()).may_change(image)

    async def _current_readers(self) -> Mapping[str, ImageReader]:
        if self._listed_until <= monotonic():
            projects = await self._with_token(self._keystone.projects)
            if not projects:
                raise Unreadable("the gateway's user has a role in no project")
            self._readers = {one: self._readers.get(one) or self._reader(one) for one in projects}
            self._listed_until = monotonic() + LIST_SECONDS
        return self._readers

    def _reader(self, project_id: str) -> ImageReader:
        return ImageReader(self._service, Credential(lambda: self._issue(project_id)))

    async def _issue(self, project_id: str) -> IssuedToken:
        try:
            return await self._with_token(lambda token: self._keystone.issue_for(token, project_id))
        except Refused as refused:
            self._listed_until = 0.0
            raise Unreadable(f"no token is issued for project {project_id}: {refused}") from None

    async def _with_token(self, call: Callable[[str], Awaitable[T]]) -> T:
        """Call with the unscoped token, and once more with a new one if it has ended."""
        token = await self._credential.token()
        try:
            return await call(token)
        except Refused as refused:
            if refused.status not in NOT_GOOD:
                raise
        self._credential.discard(token)
        return await call(await self._credential.token())


def _reader_of(owner_id: str, readers: Mapping[str, ImageReader]) -> ImageReader:
    if owner_id not in readers:
        raise Unreadable("the gateway's user has no role in the project that owns the image")
    return readers[owner_id]
