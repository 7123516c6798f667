"""Stand-ins for Glance and Keystone whose faults a test chooses, and the gateway's ledger in front of them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.errors import Problem
from app.mirror.carrier import Carrier
from app.mirror.front import Front
from app.mirror.look import Mirror
from app.model import Caller, ImageOrigin, ImageStatus, ImageVisibility, MemberStatus, Role, SeenImage
from app.sharing import service
from app.sharing.ledger import Ledger
from app.sharing.outcome import Outcome
from app.store.database import Store
from app.upstream.errors import Refused, Unreached, UpstreamError
from app.upstream.views import MemberView, View

IMAGE, AT = "5d2f6f0a-7b1a-4f6e-9d0f-3f5a3b1c2d4e", datetime(2026, 11, 28, tzinfo=UTC)
SECONDS = 1_000.0
LIMITS = service.SharingLimits("[0-9]{1,20}", 128)


def image(**changes: Any) -> SeenImage:
    columns: dict[str, Any] = {
        "id": IMAGE, "owner_id": "1", "name": "ubuntu", "origin": ImageOrigin.IMPORT, "status": ImageStatus.ACTIVE,
        "visibility": ImageVisibility.SHARED, "size_bytes": 1, "disk_format": "raw", "container_format": "bare",
        "tags": ["a"], "created_at": AT, "updated_at": AT,
    }  # fmt: skip
    return SeenImage.new(**{**columns, **changes})


class Source:
    """An upstream with one image, which a test changes as others would."""

    def __init__(self) -> None:
        self.image: SeenImage | None = image()
        self.members: dict[str, MemberStatus] | None = {}
        self.reads = 0
        self.on_read: list[asyncio.Event] = []

    async def view(self, image_id: str) -> View | None:
        view = self._view()
        self.reads += 1
        if self.on_read:
            await self.on_read.pop(0).wait()
        return view

    def _view(self) -> View | None:
        if self.image is None:
            return None
        rows = self.members
        members = None if rows is None else {tenant: MemberView(tenant, rows[tenant], AT, AT) for tenant in rows}
        return View(self.image, members)


class Glance:
    """Carries changes out in the source, and answers as a test wants it to."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.sent: list[str] = []
        self.refused: dict[str, Refused] = {}
        self.removals_that_leave_the_member = 0
        self.at_once = self.most_at_once = 0
        self.before: UpstreamError | None = None
        self.after: UpstreamError | None = None

    async def offer(self, token: str, image_id: str, tenant_id: str) -> None:
        self._send("offer")
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)  # lets other calls begin meanwhile
        self.at_once -= 1
        if tenant_id in self.refused:
            raise self.refused[tenant_id]
        self._members[tenant_id] = MemberStatus.PENDING
        self._answer()

    async def answer(self, token: str, image_id: str, tenant_id: str, status: MemberStatus) -> None:
        self._send("answer")
        self._members[tenant_id] = status
        self._answer()

    async def revoke(self, token: str, image_id: str, tenant_id: str) -> None:
        self._send("revoke")
        if self.removals_that_leave_the_member:
            self.removals_that_leave_the_member -= 1
        else:
            del self._members[tenant_id]
        self._answer()

    async def update(self, token: str, image_id: str, changes: Mapping[str, Any]) -> None:
        self._send("update")
        assert self.source.image is not None
        self.source.image = self.source.image.replace(**changes)
        self._answer()

    async def deactivate(self, token: str, image_id: str) -> None: ...

    async def reactivate(self, token: str, image_id: str) -> None: ...

    async def delete(self, token: str, image_id: str) -> None:
        self._send("delete")
        self.source.image = None
        self._answer()

    async def shows(self, token: str, image_id: str) -> bool:
        return self.source.image is not None

    @property
    def _members(self) -> dict[str, MemberStatus]:
        assert self.source.members is not None
        return self.source.members

    def _send(self, what: str) -> None:
        if isinstance(self.before, Unreached):
            raise self.before
        self.sent.append(what)
        if self.before is not None:
            raise self.before

    def _answer(self) -> None:
        if self.after is not None:
            raise self.after


class Keystone:
    def __init__(self) -> None:
        self.problem: Problem | None = None

    async def caller(self, token: str) -> Caller:
        if self.problem is not None:
            raise self.problem
        return caller("1")


def caller(tenant_id: str) -> Caller:
    return Caller(tenant_id, frozenset({Role.ADMIN}), datetime.now(UTC) + timedelta(hours=1), None, "token")


@dataclass
class World:
    """One image of tenant 1 upstream, and the gateway's ledger in front of it."""

    source: Source
    glance: Glance
    keystone: Keystone
    ledger: Ledger

    async def offer(self, *tenants: str, key: str | None = None) -> Outcome:
        return await service.offer_image(self.ledger, caller("1"), IMAGE, tenants or ("2",), LIMITS, key)

    def let_calls_end(self) -> None:
        """No call can be on its way any more."""
        later = self.ledger.store.clock() + timedelta(seconds=2 * SECONDS)
        self.ledger.store.clock = lambda: later

    async def answer(self, status: MemberStatus, key: str | None = None) -> Outcome:
        return await service.answer_offer(self.ledger, caller("2"), IMAGE, status, key)

    async def revoke(self, key: str | None = None) -> Outcome:
        return await service.revoke_member(self.ledger, caller("1"), IMAGE, "2", LIMITS, key)


def ledger_of(store: Store, source: Source, glance: Glance, keystone: Keystone, seconds: float = SECONDS) -> Ledger:
    return Ledger(store, Carrier(store, Front(glance, keystone, Mirror(store, source), seconds)))


def codes(outcome: Outcome) -> list[str]:
    return [refusal.code for refusal in outcome.refusals]
