"""The parts that a change upstream needs: Glance, the judge of tokens that Glance refuses, and the mirror."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from app.mirror.look import Mirror
from app.model import Caller, MemberStatus


class Images(Protocol):
    """Glance, called with the caller's own token. Every method raises UpstreamError."""

    async def offer(self, token: str, image_id: str, tenant_id: str) -> Any: ...

    async def answer(self, token: str, image_id: str, tenant_id: str, status: MemberStatus) -> Any: ...

    async def revoke(self, token: str, image_id: str, tenant_id: str) -> None: ...

    async def update(self, token: str, image_id: str, changes: Mapping[str, Any]) -> None: ...

    async def deactivate(self, token: str, image_id: str) -> None: ...

    async def reactivate(self, token: str, image_id: str) -> None: ...

    async def delete(self, token: str, image_id: str) -> None: ...

    async def shows(self, token: str, image_id: str) -> bool:
        """Whether the caller may see the image."""
        ...


class Authority(Protocol):
    async def caller(self, token: str) -> Caller:
        """Whose token it is. Raises Unauthenticated, or Unavailable."""
        ...


@dataclass(frozen=True)
class Front:
    """The parts that a change upstream passes. `seconds` is how long one call may take."""

    images: Images
    authority: Authority
    mirror: Mirror
    seconds: float
