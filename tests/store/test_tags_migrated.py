"""Tags that an older version stored with escapes are rewritten by the migration without changing their value."""

import asyncio
import json

from sqlalchemy import text

from tests.harness import old_images
from tests.harness.databases import Databases, upgrade
from tests.harness.gateway import settings_for, start_gateway
from tests.store.test_upgrade import of_revision

TAGS = ["ünï", 'q"', "\\", "\N{PILE OF POO}", "back\\u0041slash"]
LONE = '["\\ud800"]'


async def test_tags_with_escapes_are_rewritten_and_keep_their_value(databases: Databases) -> None:
    url = databases.blank()
    with of_revision("0003", url) as engine, engine.begin() as connection:
        old_images.insert_images(connection, "1", 1_001, "[]")
        ids = old_images.insert_images(connection, "1", 3, json.dumps(TAGS))
        [lone] = old_images.insert_images(connection, "2", 1, LONE)

    await asyncio.to_thread(upgrade, url)

    with old_images.open_transaction(url) as connection:
        stored = connection.execute(text("SELECT DISTINCT CAST(tags AS TEXT) FROM image WHERE owner_id = '1'"))
        written = json.dumps(TAGS, ensure_ascii=False, separators=(",", ":"))
        assert set(stored.scalars()) == {"[]", written}
        kept = connection.execute(text("SELECT CAST(tags AS TEXT) FROM image WHERE id = :id"), {"id": lone})
        assert kept.scalar_one() == LONE
    async with start_gateway(settings_for(url)) as gateway:
        query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Image { tags } } }"
        nodes = (await gateway.tenant("1").get(query, ids=ids))["nodes"]
    assert nodes == [{"tags": TAGS}] * 3


async def test_new_and_changed_tags_are_stored_without_escapes(databases: Databases) -> None:
    url = databases.fresh()
    async with start_gateway(settings_for(url)) as gateway:
        owner = gateway.tenant("1")
        await owner.register(tags=TAGS)
        await owner.update(await owner.register(), tags=TAGS)

    with old_images.open_transaction(url) as connection:
        stored = connection.execute(text("SELECT CAST(tags AS TEXT) FROM image")).scalars().all()

    assert stored == [json.dumps(TAGS, ensure_ascii=False, separators=(",", ":"))] * 2
