"""The upstream of the ledger: Glance, and the mirror of its images."""

from collections.abc import Mapping
from typing import Any

from app.errors import BadUserInput
from app.mirror import changes, offers
from app.mirror.carrying import carry_out
from app.mirror.errand import Errand
from app.mirror.front import Front
from app.mirror.offers import Addressees
from app.model import Caller, MemberStatus
from app.sharing.outcome import Outcome, Request
from app.store.database import Store


class Carrier:
    """Carries changes out in Glance. See `app.sharing.ledger.UpstreamActions`."""

    def __init__(self, store: Store, front: Front) -> None:
        self._store = store
        self._front = front

    async def offer(
        self,
        caller: Caller,
        request: Request,
        image_id: str,
        places: Mapping[int, str],
        malformed: tuple[BadUserInput, ...],
    ) -> Outcome:
        to = Addressees(places, malformed)
        return await self._carry_out(offers.offer(self._front.images, caller, request, image_id, to))

    async def answer(self, caller: Caller, request: Request, image_id: str, status: MemberStatus) -> Outcome:
        return await self._carry_out(changes.answer(self._front.images, caller, request, image_id, status))

    async def revoke(self, caller: Caller, request: Request, image_id: str, tenant_id: str) -> Outcome:
        return await self._carry_out(changes.revoke(self._front.images, caller, request, image_id, tenant_id))

    async def update(self, caller: Caller, request: Request, image_id: str, values: Mapping[str, Any]) -> Outcome:
        return await self._carry_out(changes.update(self._front.images, caller, request, image_id, values))

    async def delete(self, caller: Caller, request: Request, image_id: str) -> Outcome:
        return await self._carry_out(changes.delete(self._front.images, caller, request, image_id))

    async def _carry_out(self, errand: Errand) -> Outcome:
        return await carry_out(self._front, self._store, errand)
