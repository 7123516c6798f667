"""A change upstream is sent once, whatever becomes of its answer, and the same idempotency key tells the outcome."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from app.errors import Problem, Unauthenticated, Unavailable
from app.mirror.carrying import CALLS_AT_ONCE
from app.model import ImageStatus, MemberStatus, Role
from app.sharing import service
from app.upstream.errors import Refused, Unanswered, Unreached
from tests.harness.gateway import Gateway
from tests.upstream.fake_cloud import IMAGE, LIMITS, Glance, Keystone, Source, World, caller, codes, ledger_of


@pytest.fixture
async def world(run_gateway: Callable[..., AbstractAsyncContextManager[Gateway]]) -> AsyncGenerator[World]:
    async with run_gateway() as gateway:
        source, keystone = Source(), Keystone()
        glance, store = Glance(source), gateway.services.store
        yield World(source, glance, keystone, ledger_of(store, source, glance, keystone))


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
    world.let_calls_end()

    for _ in range(2):
        outcome = await world.offer(key="k")
        assert [row.tenant_id for row in outcome.members] == (["2"] if is_carried_out else [])
        assert codes(outcome) == ([] if is_carried_out else ["CONFLICT"])
    assert world.glance.sent == ["offer"]


async def test_while_a_lost_call_may_be_on_its_way_its_outcome_is_not_told(world: World) -> None:
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
    world.let_calls_end()
    assert (await world.revoke(key="revoke")).ended_id is not None
    world.glance.after = None
    await world.offer()
    world.glance.after = Unanswered("no answer")
    with pytest.raises(Unavailable):
        await world.answer(MemberStatus.REJECTED, key="answer")
    world.let_calls_end()
    told = await world.answer(MemberStatus.REJECTED, key="answer")
    with pytest.raises(Unavailable):
        await service.delete_image(world.ledger, caller("1"), IMAGE, "delete")
    world.let_calls_end()
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


async def test_an_offer_to_a_hundred_tenants_runs_a_few_calls_at_once_and_answers_each_by_itself(world: World) -> None:
    tenants = [str(number) for number in range(2, 102)]
    world.glance.refused = {"50": Refused(413, "full"), "60": Refused(404)}

    outcome = await world.offer(*tenants)

    assert [row.tenant_id for row in outcome.members] == [one for one in tenants if one not in world.glance.refused]
    assert {one.path[-1]: one.code for one in outcome.refusals if one.path} == {
        "48": "LIMIT_EXCEEDED",
        "58": "NOT_FOUND",
    }
    assert len(world.glance.sent) == 100
    assert world.glance.most_at_once == CALLS_AT_ONCE


async def test_a_call_whose_turn_comes_after_the_time_limit_is_not_sent(world: World) -> None:
    # Who retries is told the outcome once no call can be on its way.
    world.ledger = ledger_of(world.ledger.store, world.source, world.glance, world.keystone, -1)
    with pytest.raises(Unavailable, match="nothing was changed"):
        await world.offer()

    assert world.glance.sent == []


@pytest.mark.parametrize(("left", "code"), [(1, []), (2, ["CONFLICT"])])
async def test_a_removal_that_left_the_member_is_repeated_once(world: World, left: int, code: list[str]) -> None:
    await world.offer()
    await world.answer(MemberStatus.ACCEPTED)
    world.glance.removals_that_leave_the_member = left

    assert codes(await world.revoke()) == code
    assert world.glance.sent == ["offer", "answer", "revoke", "revoke"]


async def test_the_order_of_tags_is_not_glances_to_keep(world: World) -> None:
    world.glance.after = Unanswered("no answer")
    with pytest.raises(Unavailable):
        await service.update_image(world.ledger, caller("1"), IMAGE, {"tags": ["b", "a"]}, "tags")
    assert world.source.image is not None
    world.source.image = world.source.image.replace(tags=["a", "b"])
    world.let_calls_end()

    outcome = await service.update_image(world.ledger, caller("1"), IMAGE, {"tags": ["b", "a"]}, "tags")

    assert codes(outcome) == []


async def test_the_status_is_changed_in_a_call_of_its_own(world: World) -> None:
    changes = {"status": ImageStatus.DEACTIVATED, "name": "x"}
    operator = replace(caller("1"), roles=frozenset({Role.ADMIN, Role.OPERATOR}))

    outcome = await service.update_image(world.ledger, operator, IMAGE, changes)

    assert codes(outcome) == ["BAD_USER_INPUT"]
    assert world.glance.sent == []


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
