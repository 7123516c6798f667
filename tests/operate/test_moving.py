"""Moving in and out: what `export` writes, `import` reads, and nothing is lost or changed on the way."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from tests.harness.commands import error_of, run
from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, settings_for, start_gateway
from tests.harness.world import make_world

RunGateway = Callable[..., AbstractAsyncContextManager[Gateway]]


def exported(folder: Path, url: str, *options: str) -> list[dict[str, Any]]:
    result = run(folder, "export", *options, "--database", url)
    assert result.returncode == 0, result
    return [json.loads(line) for line in result.stdout.splitlines()]


async def test_an_export_has_every_image_with_its_members_and_that_of_a_tenant_has_only_what_is_its(
    databases: Databases, tmp_path: Path
) -> None:
    url = databases.fresh()
    async with start_gateway(settings_for(url)) as gateway:
        worlds = [await make_world(gateway, state, tags=["a", "ü"]) for state in ("pending", "accepted")]
        away = await worlds[1].stranger.register()
        await worlds[1].stranger.offer(away, worlds[0].owner.id)

    rows = exported(tmp_path, url)

    images = [row for row in rows if row["type"] == "image"]
    assert [row["id"] for row in images] == sorted([away, *(world.image for world in worlds)])
    image = next(row for row in images if row["id"] == worlds[0].image)
    members = rows[rows.index(image) + 1 :][:2]
    assert {(row["imageId"], row["tenantId"], row["status"]) for row in members} == {
        (worlds[0].image, worlds[0].consumer.id, "PENDING"),
        (worlds[0].image, worlds[0].other.id, "ACCEPTED"),
    }
    assert (image["ownerId"], image["tags"], image["serverId"]) == (worlds[0].owner.id, ["a", "ü"], None)
    [elsewhere] = [row for row in rows if row.get("imageId") == away]
    assert exported(tmp_path, url, "--tenant", worlds[0].owner.id) == [image, *members, elsewhere]
    assert "has the form" in error_of(tmp_path, "export", "--tenant", "no tenant", "--database", url)


def test_an_export_to_a_file_replaces_none_and_leaves_none_half_done(databases: Databases, tmp_path: Path) -> None:
    url = databases.fresh()

    assert run(tmp_path, "export", "out.jsonl", "--database", url).returncode == 0
    assert "is there already" in error_of(tmp_path, "export", "out.jsonl", "--database", url)
    assert "can't be written" in error_of(tmp_path, "export", "no/out.jsonl", "--database", url)
    assert [path.name for path in tmp_path.glob("*.jsonl*")] == ["out.jsonl"]
