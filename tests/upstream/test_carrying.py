"""A change upstream is sent once, whatever becomes of its answer, and the same idempotency key tells the outcome."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.errors import Problem, Unauthenticated, Unavailable
from app.mirror.carrier import Carrier
from app.mirror.front import Front
from app.mirror.look import Mirror
from app.model import Caller, MemberStatus, Role
from app.sharing import service
from app.sharing.ledger import Ledger
from app.sharing.outcome import Outcome
from app.store.database import Store
from app.upstream.errors import Refused, Unanswered, Unreached, UpstreamError
from tests.harness.gateway import Gateway
from tests.upstream.test_mirror import IMAGE, Source

LIMITS = service.SharingLimits("[0-9]{1,20}", 128)


class Glance:
    """Carries changes out in the source, and answers as a test wants it to."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.sent: list[str] = []
        self.before: UpstreamError | None = None
        self.after: UpstreamError | None = None

    async def offer(self, token: str, image_id: str, tenant_id: str) -> None:
        self._send("offer")
        self._members[tenant_id] = MemberStatus.PENDING
        self._answer()

    async def answer(self, token: str, image_id: str, tenant_id: str, status: MemberStatus) -> None:
        self._send("answer")
        self._members[tenant_id] = status
        self._answer()

    async def revoke(self, token: str, image_id: str, tenant_id: str) -> None:
        self._send("revoke")
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

    async def answer(self, status: MemberStatus, key: str | None = None) -> Outcome:
        return await service.answer_offer(self.ledger, caller("2"), IMAGE, status, key)

    async def revoke(self, key: str | None = None) -> Outcome:
        return await service.revoke_member(self.ledger, caller("1"), IMAGE, "2", LIMITS, key)


@pytest.fixture
async def world(run_gateway: Callable[..., AbstractAsyncContextManager[Gateway]]) -> AsyncGenerator[World]:
    async with run_gateway() as gateway:
        source, keystone = Source(), Keystone()
        glance, store = Glance(source), gateway.services.store
        yield World(source, glance, keystone, _ledger(store, source, glance, keystone, 0))


def _ledger(store: Store, source: Source, glance: Glance, keystone: Keystone, seconds: float) -> Ledger:
    return Ledger(store, Carrier(store, Front(glance, keystone, Mirror(store, source), seconds)))


def codes(outcome: Outcome) -> list[str]:
    return [refusal.code for refusal in outcome.refusals]


async def test_a_change_is_answered_as_it_was_seen_upstream(world: World) -> None:
    offered = await world.offer("2", "3")
    accepted = await world.answer(MemberStatus.ACCEPTED)
    revoked = await world.revoke()

    assert [row.tenant_id for row in offered.members] == ["2", "3"]
    assert [row.status for row in accepted.members] == [MemberStatus.ACCEPTED]
    assert revoked.ended_id == accepted.members[0].id
    assert world.glance.sent == ["offer", "offer", "answer", "revoke"]


@pytest.mark.parametrize("is_carried_out", [True, False])
async def test_a_lost_answer_is_unavailable_and_the_same_key_tells_the_outcome(
    world: World, is_carried_out: bool
) -> None:
    lost = Unanswered("no answer")
    world.glance.before, world.glance.after = (None, lost) if is_carried_out else (lost, None)
    with pytest.raises(Unavailable, match="idempotencyKey"):
        await world.offer(key="k")
    world.glance.before = world.glance.after = None

    for _ in range(2):
        outcome = await world.offer(key="k")
        assert [row.tenant_id for row in outcome.members] == (["2"] if is_carried_out else [])
        assert codes(outcome) == ([] if is_carried_out else ["CONFLICT"])
    assert world.glance.sent == ["offer"]


async def test_while_a_lost_call_may_be_on_its_way_its_outcome_is_not_told(world: World) -> None:
    world.ledger = _ledger(world.ledger.store, world.source, world.glance, world.keystone, 1_000)
    world.glance.before = Unanswered("no answer")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await world.offer(key="k")

    assert world.glance.sent == ["offer"]


async def test_lost_answers_to_all_kinds_of_changes_are_told_by_their_keys(world: World) -> None:
    await world.offer()
    world.glance.after = Unanswered("no answer")
    with pytest.raises(Unavailable):
        await world.revoke(key="revoke")
    assert (await world.revoke(key="revoke")).ended_id is not None
    world.glance.after = None
    await world.offer()
    world.glance.after = Unanswered("no answer")
    with pytest.raises(Unavailable):
        await world.answer(MemberStatus.REJECTED, key="answer")
    told = await world.answer(MemberStatus.REJECTED, key="answer")
    with pytest.raises(Unavailable):
        await service.delete_image(world.ledger, caller("1"), IMAGE, "delete")
    deleted = await service.delete_image(world.ledger, caller("1"), IMAGE, "delete")

    assert [row.status for row in told.members] == [MemberStatus.REJECTED]
    assert deleted.ended_id == IMAGE
    assert world.glance.sent == ["offer", "revoke", "offer", "answer", "delete"]


async def test_what_was_never_sent_changes_nothing_and_may_be_sent_with_the_same_key(world: World) -> None:
    world.glance.before = Unreached("no connection")
    with pytest.raises(Unavailable, match="nothing was changed"):
        await world.offer(key="k")
    world.glance.before = None

    assert codes(await world.offer(key="k")) == []
    assert world.glance.sent == ["offer"]


@pytest.mark.parametrize(
    ("status", "code"), [(400, "BAD_USER_INPUT"), (403, "FORBIDDEN"), (404, "NOT_FOUND"), (413, "LIMIT_EXCEEDED")]
)
async def test_glances_refusal_is_the_refusal_and_the_same_key_repeats_it(world: World, status: int, code: str) -> None:
    world.glance.before = Refused(status, "a reason of Glance's")

    first, again = await world.offer(key="k"), await world.offer(key="k")

    assert codes(first) == codes(again) == [code]
    assert ("Glance's" in first.refusals[0].message) == (code != "NOT_FOUND")
    assert first.refusals[0].path == ("input", "tenantIds", "0")
    assert world.glance.sent == ["offer"]


async def test_an_offer_that_stands_upstream_is_a_conflict_with_the_member(world: World) -> None:
    world.source.members = {"2": MemberStatus.ACCEPTED}
    world.glance.before = Refused(409, "duplicate")

    outcome = await world.offer()

    assert codes(outcome) == ["CONFLICT"]
    row = outcome.standing_row(outcome.refusals[0])
    assert row is not None
    assert row.status is MemberStatus.ACCEPTED


@pytest.mark.parametrize(
    ("problem", "expected"), [(Unauthenticated("revoked"), Unauthenticated), (Unavailable("away"), Unavailable)]
)
async def test_when_glance_does_not_know_the_caller_keystone_says_why(
    world: World, problem: Problem, expected: type[Problem]
) -> None:
    world.glance.before, world.keystone.problem = Refused(401), problem

    with pytest.raises(expected):
        await world.offer()


async def test_who_may_not_is_refused_before_a_call(world: World) -> None:
    await world.offer()
    outsider = await service.offer_image(world.ledger, caller("2"), IMAGE, ["3"], LIMITS)
    own = await world.offer("1")

    assert (codes(outsider), codes(own)) == (["FORBIDDEN"], ["BAD_USER_INPUT"])
    assert world.glance.sent == ["offer"]


async def test_a_change_leaves_a_mark_that_outlives_its_process(world: World) -> None:
    await world.offer()
    world.glance.after = Unanswered("no answer")
    mirror: Any = world.ledger.upstream
    world.source.on_read.clear()
    looks = mirror._front.mirror.look

    async def crash(image_id: str) -> None:
        raise Unanswered("the process ends here")

    mirror._front.mirror.look = crash
    with pytest.raises(Unavailable):
        await world.revoke()
    mirror._front.mirror.look = looks

    assert await mirror._front.mirror.marked(10) == [IMAGE]


async def test_images_are_not_registered_in_front_of_a_cloud(world: World) -> None:
    new = {"name": "x", "origin": "IMPORT", "source_url": "https://images.example.org/x"}

    assert codes(await service.register_image(world.ledger, caller("1"), new)) == ["FORBIDDEN"]
