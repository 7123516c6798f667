"""Looking at an image upstream: what has changed becomes rows and events, once, and in an order that is true."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from app.mirror import leadership
from app.mirror.leadership import Leadership
from app.mirror.look import Mirror
from app.mirror.sources import Census
from app.mirror.sweep import Sweep
from app.model import ImageVisibility, MemberStatus, SeenImage
from app.upstream.errors import Unanswered
from app.upstream.views import View
from tests.harness.gateway import Gateway
from tests.upstream.fake_cloud import IMAGE, Source, image

OTHER, BROKEN = "6d2f6f0a-7b1a-4f6e-9d0f-3f5a3b1c2d4e", "7d2f6f0a-7b1a-4f6e-9d0f-3f5a3b1c2d4e"


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
async def gateway(
    run_gateway: Callable[..., AbstractAsyncContextManager[Gateway]],
) -> AsyncGenerator[Gateway]:
    async with run_gateway() as gateway:
        yield gateway


@pytest.fixture
def mirror(gateway: Gateway, source: Source) -> Mirror:
    return Mirror(gateway.services.store, source)


EVENTS = "{ offerEvents { nodes { kind previousStatus status actor { id } tenant { id } } } }"


async def steps(gateway: Gateway, tenant_id: str = "1") -> list[tuple[Any, ...]]:
    """The changes of memberships that this tenant hears of."""
    data = await gateway.tenant(tenant_id).get(EVENTS)
    nodes = data["offerEvents"]["nodes"]
    return [(node["tenant"]["id"], node["previousStatus"], node["status"]) for node in nodes]


async def test_an_offer_that_was_made_upstream_is_in_the_inbox(
    gateway: Gateway, mirror: Mirror, source: Source
) -> None:
    source.members = {"2": MemberStatus.PENDING}
    await mirror.look(IMAGE)

    inbox = await gateway.tenant("2").get("{ offers { nodes { status image { name owner { id } } } } }")
    assert inbox["offers"]["nodes"] == [{"status": "PENDING", "image": {"name": "ubuntu", "owner": {"id": "1"}}}]
    assert await steps(gateway) == [("2", None, "PENDING")]


async def test_a_look_that_finds_nothing_new_writes_nothing(gateway: Gateway, mirror: Mirror, source: Source) -> None:
    source.members = {"2": MemberStatus.PENDING}
    for _ in range(3):
        await mirror.look(IMAGE)

    assert len(await steps(gateway)) == 1


async def test_every_step_of_a_membership_is_told_to_both_sides(
    gateway: Gateway, mirror: Mirror, source: Source
) -> None:
    for members in ({"2": MemberStatus.PENDING}, {"2": MemberStatus.ACCEPTED}, {"2": MemberStatus.REJECTED}, {}):
        source.members = dict(members)
        await mirror.look(IMAGE)

    told = [
        ("2", None, "PENDING"),
        ("2", "PENDING", "ACCEPTED"),
        ("2", "ACCEPTED", "REJECTED"),
        ("2", "REJECTED", None),
    ]
    assert await steps(gateway, "1") == told
    assert await steps(gateway, "2") == told


async def test_an_offer_that_was_answered_before_it_was_first_seen_has_both_steps(
    gateway: Gateway, mirror: Mirror, source: Source
) -> None:
    source.members = {"2": MemberStatus.ACCEPTED}
    await mirror.look(IMAGE)

    assert await steps(gateway) == [("2", None, "PENDING"), ("2", "PENDING", "ACCEPTED")]


async def test_a_private_images_members_stay_and_come_back_with_it(
    gateway: Gateway, mirror: Mirror, source: Source
) -> None:
    source.members = {"2": MemberStatus.ACCEPTED}
    await mirror.look(IMAGE)

    source.image, source.members = image(visibility=ImageVisibility.PRIVATE), None
    await mirror.look(IMAGE)
    assert await gateway.tenant("2").get("{ images { nodes { id } } }") == {"images": {"nodes": []}}

    source.image, source.members = image(), {"2": MemberStatus.ACCEPTED}
    await mirror.look(IMAGE)
    assert await gateway.tenant("2").get("{ images { nodes { id } } }") == {"images": {"nodes": [{"id": IMAGE}]}}
    assert len(await steps(gateway)) == 2


async def test_the_end_of_an_image_upstream_ends_its_memberships(
    gateway: Gateway, mirror: Mirror, source: Source
) -> None:
    source.members = {"2": MemberStatus.PENDING}
    await mirror.look(IMAGE)
    source.image = None
    await mirror.look(IMAGE)

    assert await steps(gateway, "2") == [("2", None, "PENDING"), ("2", "PENDING", None)]
    assert await gateway.tenant("1").get("{ images { nodes { id } } }") == {"images": {"nodes": []}}
    assert await mirror.marked(10) == []


async def test_an_image_that_is_not_there_upstream_leaves_nothing(mirror: Mirror, source: Source) -> None:
    source.image = None
    await mirror.look(IMAGE)

    assert await mirror.marked(10) == []


async def test_a_view_is_not_stored_when_a_later_one_was_stored_meanwhile(
    gateway: Gateway, mirror: Mirror, source: Source
) -> None:
    await mirror.look(IMAGE)
    source.members, may_go_on = {"2": MemberStatus.PENDING}, asyncio.Event()
    source.on_read.append(may_go_on)
    slow = asyncio.create_task(mirror.look(IMAGE))  # sees the offer, and dawdles
    while source.reads < 2:
        await asyncio.sleep(0)

    source.members = {"2": MemberStatus.ACCEPTED}
    await mirror.look(IMAGE)
    may_go_on.set()
    await slow

    assert await steps(gateway) == [("2", None, "PENDING"), ("2", "PENDING", "ACCEPTED")]
    assert source.reads == 4


async def test_a_mark_outlives_the_look_that_was_on_its_way_when_it_was_made(mirror: Mirror, source: Source) -> None:
    await mirror.mark([IMAGE])
    source.on_read.append(may_go_on := asyncio.Event())
    looking = asyncio.create_task(mirror.look(IMAGE))
    while not source.reads:
        await asyncio.sleep(0)
    await mirror.mark([IMAGE])
    may_go_on.set()
    await looking

    assert await mirror.marked(10) == [IMAGE]
    await mirror.look(IMAGE)
    assert await mirror.marked(10) == []


class Lists:
    """A cloud whose images are listed."""

    def __init__(self, *image_ids: str) -> None:
        self._image_ids = image_ids

    async def images(self, **_: str) -> AsyncGenerator[SeenImage]:
        for image_id in self._image_ids:
            yield image(id=image_id)


async def test_a_change_during_the_first_listing_does_not_make_the_rest_look_new(
    gateway: Gateway, mirror: Mirror, source: Source
) -> None:
    await mirror.mark([OTHER])  # by a notification, before the images that are there are known
    source.members = {"2": MemberStatus.PENDING}

    await Census(mirror, Lists(IMAGE, OTHER))()
    await mirror.look(IMAGE)

    assert await steps(gateway) == []
    assert (await mirror.marked(10), await mirror.expected("g", 10)) == ([OTHER], [])


@pytest.mark.parametrize("is_released", [True, False])
async def test_another_process_takes_the_lead_when_one_ends(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, is_released: bool
) -> None:
    monkeypatch.setattr(leadership, "LEASE_SECONDS", 3_600 if is_released else 0.4)
    monkeypatch.setattr(leadership, "RENEWAL_SECONDS", 0.1)
    first, second = Leadership(mirror), Leadership(mirror)
    await first.start()
    await first.acquired()
    await second.start()
    if is_released:
        await first.stop()
    else:
        assert first._renewing is not None
        first._renewing.cancel()  # as a process that is killed

    await second.acquired()
    assert second.is_held
    await second.stop()


async def test_the_sweep_looks_at_imports_then_at_members_then_at_all_and_survives_one_that_cannot_be_read(
    mirror: Mirror, source: Source
) -> None:
    looked: list[str] = []
    view = source.view

    async def counted(image_id: str) -> View | None:
        looked.append(image_id)
        if image_id == BROKEN:
            raise Unanswered("Glance described an image in an unknown way")
        found = await view(image_id)
        return None if found is None else View(image(id=image_id), found.members if image_id == IMAGE else {})

    source.view, source.members = counted, {"2": MemberStatus.PENDING}
    await mirror.expect([IMAGE, OTHER, BROKEN])
    sweep = Sweep(mirror, rate=1_000)

    assert [await sweep.look_at_next() for _ in range(4)] == [True, True, True, False]
    assert (sorted(looked[:3]), looked[3], sorted(looked[4:])) == ([IMAGE, OTHER, BROKEN], IMAGE, [IMAGE, OTHER])
