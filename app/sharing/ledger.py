"""Where actions take effect: in the store alone, or in an upstream that the store mirrors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from app.errors import BadUserInput
from app.model import Caller, MemberStatus
from app.sharing.outcome import Outcome, Request
from app.store.database import Store


class UpstreamActions(Protocol):
    """A service that owns the images. It makes each change with the caller's own rights; the outcome is what it shows.

    Every method raises Unavailable or Unauthenticated.
    """

    async def offer(
        self,
        caller: Caller,
        request: Request,
        image_id: str,
        places: Mapping[int, str],
        malformed: tuple[BadUserInput, ...],
    ) -> Outcome:
        """Offer to the tenants at these places of the input; `malformed` are the refusals of the others."""
        ...

    async def answer(self, caller: Caller, request: Request, image_id: str, status: MemberStatus) -> Outcome: ...

    async def revoke(self, caller: Caller, request: Request, image_id: str, tenant_id: str) -> Outcome: ...

    async def update(self, caller: Caller, request: Request, image_id: str, values: Mapping[str, Any]) -> Outcome: ...

    async def delete(self, caller: Caller, request: Request, image_id: str) -> Outcome: ...


@dataclass(frozen=True)
class Ledger:
    """The store, and the upstream if there is one."""

    store: Store
    upstream: UpstreamActions | None = None
