"""Images and their members, as a real Glance tells them and lets them be changed."""

from collections.abc import AsyncGenerator

import pytest

from app.model import ImageStatus, ImageVisibility, MemberStatus
from app.upstream import reading
from app.upstream.errors import Refused, Unreached
from app.upstream.glance import Glance
from tests.cloud.cloud import Cloud
from tests.cloud.gateway import end_token, upstream_of
from tests.harness.kernel import free_port

pytestmark = pytest.mark.cloud
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def glance(cloud: Cloud) -> AsyncGenerator[Glance]:
    upstream = upstream_of(cloud)
    yield upstream.glance
    await upstream.close()


async def test_an_image_is_seen_with_all_its_members(cloud: Cloud, glance: Glance) -> None:
    image_id, consumer = await cloud.image(tags=["b", "a"], min_ram=5), cloud.projects["consumer"]
    await glance.offer(await cloud.token("producer"), image_id, consumer)
    await glance.offer(await cloud.token("producer"), image_id, "somebody")
    await glance.answer(await cloud.token("consumer"), image_id, consumer, MemberStatus.ACCEPTED)

    view = await glance.view(image_id)
    assert view is not None
    assert view.members is not None
    assert (view.image.owner_id, view.image.name) == (cloud.projects["producer"], "ubuntu")
    assert (view.image.status, view.image.visibility) == (ImageStatus.QUEUED, ImageVisibility.SHARED)
    assert (view.image.tags, view.image.min_ram_mb) == (["a", "b"], 5)
    statuses = {tenant: row.status for tenant, row in view.members.items()}
    assert statuses == {consumer: MemberStatus.ACCEPTED, "somebody": MemberStatus.PENDING}


async def test_a_private_images_members_are_unknown_and_a_deleted_image_is_none(cloud: Cloud, glance: Glance) -> None:
    image_id = await cloud.image()
    await glance.update(await cloud.token("producer"), image_id, {"visibility": "private"})

    view = await glance.view(image_id)
    assert view is not None
    assert (view.image.visibility, view.members) == (ImageVisibility.PRIVATE, None)

    await glance.delete(await cloud.token("producer"), image_id)
    assert await glance.view(image_id) is None


async def test_a_refusal_has_glances_status_and_its_reason(cloud: Cloud, glance: Glance) -> None:
    image_id, consumer, owner = await cloud.image(), cloud.projects["consumer"], await cloud.token("producer")
    await glance.offer(owner, image_id, consumer)

    with pytest.raises(Refused) as again:
        await glance.offer(owner, image_id, consumer)
    with pytest.raises(Refused) as answered_by_owner:
        await glance.answer(owner, image_id, consumer, MemberStatus.ACCEPTED)
    with pytest.raises(Refused) as stranger:
        await glance.revoke(await cloud.token("stranger"), image_id, consumer)

    assert [one.value.status for one in (again, answered_by_owner, stranger)] == [409, 403, 404]
    assert "duplicated" in again.value.reason


async def test_the_owner_updates_an_image_and_an_admin_deactivates_it(cloud: Cloud, glance: Glance) -> None:
    image_id = await cloud.image()
    async with cloud.images("producer") as owner:
        await owner.put(
            f"/images/{image_id}/file", content=b"data", headers={"content-type": "application/octet-stream"}
        )
    changes = {"name": "renamed", "tags": ["x"], "protected": True, "os_hidden": True}
    await glance.update(await cloud.token("producer"), image_id, changes)
    await glance.deactivate(await cloud.token("admin"), image_id)

    view = await glance.view(image_id)
    assert view is not None
    assert (view.image.name, view.image.tags, view.image.protected) == ("renamed", ["x"], True)
    assert (view.image.hidden, view.image.status) == (True, ImageStatus.DEACTIVATED)

    await glance.reactivate(await cloud.token("admin"), image_id)
    view = await glance.view(image_id)
    assert view is not None
    assert (view.image.status, view.image.size_bytes) == (ImageStatus.ACTIVE, 4)


async def test_all_images_of_all_projects_are_listed_hidden_ones_included(cloud: Cloud, glance: Glance) -> None:
    made = {
        await cloud.image(),
        await cloud.image(user="consumer", visibility="private"),
        await cloud.image(os_hidden=True),
    }

    listed = {image.id async for image in glance.images()}
    recent = {image.id async for image in glance.images(updated_at="gte:2000-01-01T00:00:00Z")}

    assert made <= listed
    assert recent == listed


async def test_no_image_is_skipped_when_the_marker_of_a_page_changes(
    cloud: Cloud, glance: Glance, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker, *others = [await cloud.image() for _ in range(4)]
    place = [image.id async for image in glance.images()].index(marker)
    monkeypatch.setattr(reading, "PAGE", place + 1)

    seen: list[str] = []
    async for image in glance.images():
        seen.append(image.id)
        if image.id == marker:
            await glance.update(await cloud.token("producer"), marker, {"name": "changed meanwhile"})

    assert [image_id for image_id in seen if image_id in others] == others


async def test_the_gateways_token_is_replaced_when_it_has_ended(cloud: Cloud) -> None:
    upstream, image_id = upstream_of(cloud), await cloud.image()
    assert await upstream.glance.view(image_id)
    end_token(upstream.credential)

    assert await upstream.glance.view(image_id)
    await upstream.close()


async def test_what_is_unknown_is_none_and_a_glance_that_is_away_is_unreached(cloud: Cloud, glance: Glance) -> None:
    away = upstream_of(cloud, upstream_glance_url=f"http://127.0.0.1:{free_port()}")

    assert await glance.view(UNKNOWN) is None
    with pytest.raises(Unreached):
        await away.glance.view(UNKNOWN)
    await away.close()
