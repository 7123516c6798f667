"""Tenants keep the IDs that people have, and `node` tells them apart from images and memberships."""

from collections.abc import AsyncGenerator
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
import pytest

from app.api.plan.planner import Planner
from app.store.plan.reader import open_reader
from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, Tenant, settings_for, start_gateway

FORMS = {
    "a UUID": ("b7f3c7a2-0d4c-4a6e-9b7a-1f0c2d3e4f5", "0"),
    "a UUID in upper case": ("B7F3C7A2-0D4C-4A6E-9B7A-1F0C2D3E4F6", "0"),
    "32 hexadecimal digits": ("b7f3c7a20d4c4a6e9b7a1f0c2d3e4f5", "0"),
    "12 digits": ("01234567890", "0"),
    "a DNS label": ("acme-eu", "0"),
    "an e-mail address": ("images+eu@example.org", "0"),
    "other letters": ("müller gmbh", "0"),
}
NODE = "query($id: ID!) { node(id: $id) { __typename id } nodes(ids: [$id]) { __typename id } }"


class Platform(NamedTuple):
    """A gateway whose tenants have IDs of any form."""

    gateway: Gateway
    planner: Planner

    async def node(self, viewer: Tenant, id: str) -> Any:
        """The node with this ID, which is the same by the planned query, by resolvers, and in a list."""
        planned = await self.planner.answer(NODE, None, {"id": id}, viewer.caller)
        resolved = await viewer.get(NODE, id=id)
        assert planned == orjson.dumps(resolved)
        assert resolved["nodes"] == [resolved["node"]]
        return resolved["node"]


@pytest.fixture(scope="module")
async def platform(databases: Databases) -> AsyncGenerator[Platform]:
    async with start_gateway(settings_for(databases.fresh(), tenant_id_pattern=".+")) as gateway:
        reader = open_reader(gateway.services.store)
        yield Platform(gateway, Planner(gateway.schema.documents, gateway.services, reader))
        await reader.close()


@pytest.mark.parametrize("form", FORMS)
async def test_tenants_of_any_form_share_images_and_find_themselves_only(platform: Platform, form: str) -> None:
    stem, end = FORMS[form]
    producer, consumer = platform.gateway.tenant(stem + end), platform.gateway.tenant(stem + "1")
    image = await producer.register()
    (row,) = (await producer.offer(image, consumer.id))["members"]
    assert (await consumer.accept(image))["errors"] == []

    for viewer, other in ((producer, consumer), (consumer, producer)):
        assert await platform.node(viewer, viewer.id) == {"__typename": "Tenant", "id": viewer.id}
        assert await platform.node(viewer, other.id) is None
        assert await platform.node(viewer, image) == {"__typename": "Image", "id": image}
        assert await platform.node(viewer, row["id"]) == {"__typename": "Member", "id": row["id"]}


async def test_a_tenant_with_the_id_of_an_image_finds_itself_and_others_find_the_image(platform: Platform) -> None:
    producer = platform.gateway.tenant(str(uuid4()))
    image = await producer.register()
    namesake = platform.gateway.tenant(image)
    await producer.offer(image, namesake.id)
    await namesake.accept(image)

    assert await platform.node(namesake, image) == {"__typename": "Tenant", "id": image}
    assert await platform.node(producer, image) == {"__typename": "Image", "id": image}
    assert await platform.node(platform.gateway.tenant(str(uuid4())), image) is None
