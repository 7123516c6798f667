"""A gateway whose user has the role `reader` in every project, by inheritance, while Glance has its own policy."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from app.mirror.owners import KnownOwners
from app.model import MemberStatus
from app.upstream.errors import Refused
from app.upstream.opening import Upstream
from tests.cloud.cloud import Cloud
from tests.cloud.gateway import end_token, settings_before, upstream_of
from tests.cloud.people import ADMIN, DOMAIN_READER
from tests.cloud.users import Front
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import refusal_code, start_gateway

pytestmark = pytest.mark.cloud
READER: dict[str, Any] = {
    "upstream_read_access": "projects",
    "upstream_username": DOMAIN_READER,
    "upstream_password": f"{DOMAIN_READER}-secret",
    "upstream_project": None,
}


@pytest.fixture
async def upstream(cloud: Cloud) -> AsyncGenerator[Upstream]:
    upstream = upstream_of(cloud, **READER)
    yield upstream
    await upstream.close()


async def test_each_image_is_read_as_its_owner_sees_it(cloud: Cloud, upstream: Upstream) -> None:
    glance, consumer = upstream.glance, cloud.projects["consumer"]
    image_id, hidden = await cloud.image(), await cloud.image(user="second", visibility="private", os_hidden=True)
    for tenant in (consumer, "somebody"):
        await glance.offer(await cloud.token("producer"), image_id, tenant)
    await glance.answer(await cloud.token("consumer"), image_id, consumer, MemberStatus.ACCEPTED)

    for owner_id in (None, cloud.projects["producer"]):
        view = await glance.view(image_id, owner_id)
        assert view is not None
        assert set(view.members or ()) == {consumer, "somebody"}
    listed = [image.id async for image in glance.images()]
    assert (listed.count(image_id), listed.count(hidden)) == (1, 1)
    assert not await glance.is_empty()


async def test_its_user_may_change_nothing(cloud: Cloud, upstream: Upstream) -> None:
    image_id = await cloud.image()
    token = await upstream.keystone.issue_for(await upstream.credential.token(), cloud.projects["producer"])

    for call in (
        upstream.glance.offer(token.id, image_id, cloud.projects["consumer"]),
        upstream.glance.update(token.id, image_id, {"name": "x"}),
        upstream.glance.delete(token.id, image_id),
    ):
        with pytest.raises(Refused, match="403"):
            await call


async def test_its_tokens_are_replaced_when_they_have_ended(cloud: Cloud, upstream: Upstream) -> None:
    image_id = await cloud.image()
    assert await upstream.glance.view(image_id)
    reader: Any = upstream.glance._reader
    for one in (reader, *reader._readers.values()):
        if one._credential._issued is not None:
            end_token(one._credential)

    assert await upstream.glance.view(image_id)


async def test_images_of_a_disabled_project_stay_as_they_are(cloud: Cloud, sqlite_databases: SqliteDatabases) -> None:
    admin = cloud.identity.token(ADMIN, ADMIN).id
    async with start_gateway(settings_before(cloud, sqlite_databases.fresh(), **READER)) as gateway:
        front, image_id = Front(cloud, gateway), await cloud.image(user="second")
        second = await front.user("second")
        offered = await second.offer(image_id, cloud.projects["consumer"])
        assert refusal_code(offered) == "ok", offered
        upstream: Any = gateway.services.upstream
        mirror = upstream._front.mirror
        assert type(mirror._source) is KnownOwners
        reader: Any = mirror._source._images
        reader._reader._listed_until = 0.0

        project = f"/projects/{cloud.projects['second']}"
        cloud.identity.request("PATCH", project, admin, project={"enabled": False})
        try:
            await mirror.look(image_id)
        finally:
            cloud.identity.request("PATCH", project, admin, project={"enabled": True})
        data = await second.get("query($id: ID!) { image(id: $id) { members { nodes { status } } } }", id=image_id)

    assert data["image"]["members"]["nodes"] == [{"status": "PENDING"}]
