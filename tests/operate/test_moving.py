"""Moving in and out: what `export` writes, `import` reads, and nothing is lost or changed on the way."""

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.transfer.importing import FileImport
from app.transfer.reading import Line, batches, row_of
from tests.harness.commands import error_of, run
from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, settings_for, start_gateway
from tests.harness.scenario import make_scenario

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
        scenarios = [await make_scenario(gateway, state, tags=["a", "ü"]) for state in ("pending", "accepted")]
        away = await scenarios[1].stranger.register()
        await scenarios[1].stranger.offer(away, scenarios[0].owner.id)

    rows = exported(tmp_path, url)

    images = [row for row in rows if row["type"] == "image"]
    assert [row["id"] for row in images] == sorted([away, *(scenario.image for scenario in scenarios)])
    image = next(row for row in images if row["id"] == scenarios[0].image)
    members = rows[rows.index(image) + 1 :][:2]
    assert {(row["imageId"], row["tenantId"], row["status"]) for row in members} == {
        (scenarios[0].image, scenarios[0].consumer.id, "PENDING"),
        (scenarios[0].image, scenarios[0].other.id, "ACCEPTED"),
    }
    assert (image["ownerId"], image["tags"], image["serverId"]) == (scenarios[0].owner.id, ["a", "ü"], None)
    [elsewhere] = [row for row in rows if row.get("imageId") == away]
    assert exported(tmp_path, url, "--tenant", scenarios[0].owner.id) == [image, *members, elsewhere]
    assert "has the form" in error_of(tmp_path, "export", "--tenant", "no tenant", "--database", url)


def test_an_export_to_a_file_replaces_none_and_leaves_none_half_done(databases: Databases, tmp_path: Path) -> None:
    url = databases.fresh()

    assert run(tmp_path, "export", "out.jsonl", "--database", url).returncode == 0
    assert "is there already" in error_of(tmp_path, "export", "out.jsonl", "--database", url)
    assert "can't be written" in error_of(tmp_path, "export", "no/out.jsonl", "--database", url)
    assert [path.name for path in tmp_path.glob("*.jsonl*")] == ["out.jsonl"]


async def test_an_import_of_an_export_is_the_same_store_and_doing_it_again_changes_nothing(
    databases: Databases, tmp_path: Path
) -> None:
    url, other = databases.fresh(), databases.fresh()
    async with start_gateway(settings_for(url)) as gateway:
        for state, image in STATES.items():
            await make_scenario(gateway, state, **image)
    assert run(tmp_path, "export", "out.jsonl", "--database", url).returncode == 0
    imported = partial(run, tmp_path, "import", "out.jsonl", "--database", other)

    assert "no problems" in imported("--dry-run").stdout
    assert imported().stdout == "4 images and 7 members were written.\n"
    assert imported().stdout.startswith("Nothing was written: earlier runs have imported all 11 lines.")
    assert imported("--again").stdout == "0 images and 0 members were written.\n"

    assert output(tmp_path, other) == output(tmp_path, url)


PROBLEMS = [
    "line 4: id: A line before this one has this ID.",
    "line 5: tenantId: An image can't be offered to its own owner.",
    "line 6: imageId: No line before this one has a valid image with this ID, nor has the store.",
    "line 7: tenantId: A line before this one has a member of this image and tenant.",
    "line 7: tenantId: The store has another member of this image and tenant.",
    "line 8: colour: There is no such field.",
    "line 9: externalId: A line before this one has this external ID of this owner.",
    "line 9: externalId: The store has another image of this owner with this external ID.",
    "line 11: externalId: A line before this one has this external ID of this owner.",
]


def _lines_with_problems(image: dict[str, Any], offered: dict[str, Any]) -> list[dict[str, Any]]:
    """What the store has already, and then a line for each problem, and some without one."""
    fresh = line("image")
    return [
        image,
        offered,
        {**image, "id": fresh["id"], "externalId": None},
        fresh,
        {**line("member"), "imageId": fresh["id"], "tenantId": image["ownerId"]},
        line("member"),
        {**offered, "id": str(uuid4())},
        {**line("image"), "colour": "red"},
        {**line("image"), "ownerId": image["ownerId"], "externalId": "sku"},
        {**line("image"), "ownerId": image["ownerId"], "externalId": "new"},
        {**line("image"), "ownerId": image["ownerId"], "externalId": "new"},
        {**line("image"), "externalId": "new"},
    ]


def test_every_problem_of_a_file_is_listed_with_its_line_and_then_nothing_is_written(
    databases: Databases, tmp_path: Path
) -> None:
    url, image, member = databases.fresh(), {**line("image"), "externalId": "sku"}, line("member")
    offered = {**member, "imageId": image["id"]}
    write(tmp_path / "first.jsonl", [image, offered])
    assert run(tmp_path, "import", "first.jsonl", "--database", url).returncode == 0
    write(tmp_path / "second.jsonl", _lines_with_problems(image, offered))
    write(
        tmp_path / "third.jsonl",
        [
            {**image, "ownerId": "9"},
            {**line("member"), "imageId": image["id"], "tenantId": offered["tenantId"]},
            {**offered, "tenantId": "7"},
        ],
    )
    before = output(tmp_path, url)

    results = [
        run(tmp_path, "import", *options, "--database", url)
        for options in (("second.jsonl",), ("second.jsonl", "--dry-run"), ("third.jsonl",))
    ]

    assert [result.returncode for result in results] == [1, 1, 1]
    assert results[0].stdout == results[1].stdout
    assert results[0].stdout.splitlines() == PROBLEMS
    assert "The file has 9 problems. Nothing was written." in results[0].stderr
    assert results[2].stdout.splitlines() == [
        "line 1: id: The store has another image with this ID.",
        "line 2: tenantId: The store has another member of this image and tenant.",
        "line 3: id: The store has another member with this ID.",
    ]
    assert output(tmp_path, url) == before


async def test_an_interrupted_import_goes_on_where_it_stopped_and_brings_nothing_back(
    databases: Databases, tmp_path: Path
) -> None:
    url, rows = databases.fresh(), _catalogue("1001", "2002", "3003", "4004")
    write(tmp_path / "in.jsonl", rows)
    async with start_gateway(settings_for(url)) as gateway:
        owner = gateway.tenant("1001")
        lines = parsed(rows)
        interrupted = FileImport(gateway.services.store, digest(rows), is_announced=False)
        await interrupted.begin()
        await interrupted.write(lines[:3], 0)
        first = rows[0]["id"]
        await owner.revoke(first, "2002")
        # Meanwhile the owner does by itself what the next line would do.
        [made] = (await owner.offer(first, "4004"))["members"]

        result = run(tmp_path, "import", "in.jsonl", "--database", url)

        assert result.stdout == "2 images and 6 members were written, after 3 lines of earlier runs.\n"
        assert run(tmp_path, "import", "in.jsonl", "--database", url).stdout.startswith("Nothing was written")
        found = {row["id"] for row in exported(tmp_path, url)}
        replaced = {row["id"] for row in rows[1:4] if row["tenantId"] in ("2002", "4004")}
        assert found == {row["id"] for row in rows} - replaced | {made["id"]}


@pytest.mark.parametrize("is_announced", [False, True])
async def test_watches_hear_of_imported_rows_only_if_they_are_announced_and_of_their_changes_always(
    gateway: Gateway, is_announced: bool
) -> None:
    owner, consumer = gateway.tenant("1001"), gateway.tenant("2002")
    rows = _catalogue("1001", "2002")[:2]
    rows[1]["status"] = "REJECTED"
    new_import = FileImport(gateway.services.store, digest(rows), is_announced=is_announced)
    await new_import.begin()
    async with owner.watch() as owners, consumer.watch() as consumers:
        for items in (owners, consumers):
            await anext(items)

        await new_import.write(parsed(rows), 0)
        assert (await consumer.accept(rows[0]["id"]))["errors"] == []

        steps = [(None, "PENDING"), ("PENDING", "REJECTED")] if is_announced else []
        for watch in (owners, consumers):
            heard = [await anext(watch) for _ in range(len(steps) + 1)]
            told = [(item["previousStatus"], item["status"]) for item in heard]
            assert told == [*steps, ("REJECTED", "ACCEPTED")]
            assert {item["memberId"] for item in heard} == {rows[1]["id"]}


STATES: dict[str, dict[str, Any]] = {
    "pending": {"tags": ["ü", '"'], "sizeBytes": 2**53 - 1},
    "accepted": {"origin": "SNAPSHOT", "serverId": "srv-1", "sourceUrl": None, "hidden": True},
    "rejected": {"protected": True, "osType": "OTHER", "checksum": "md5:\\1"},
    "none": {"status": "QUEUED", "minDiskGb": 5, "externalId": "sku/5"},
}


def output(folder: Path, url: str) -> str:
    return run(folder, "export", "--database", url).stdout


def line(kind: str) -> dict[str, Any]:
    """A line of an image or of a member, with random IDs."""
    made = {"type": kind, "id": str(uuid4()), "createdAt": "2026-01-01T00:00:00.000000Z"}
    if kind == "member":
        return {**made, "imageId": str(uuid4()), "tenantId": str(uuid4().int)[:9], "status": "PENDING"}
    return {**made, "ownerId": str(uuid4().int)[:9], "name": "debian", "origin": "IMPORT"}


def _catalogue(owner: str, *consumers: str) -> list[dict[str, Any]]:
    """Three images of the owner, each followed by its members."""
    images = [{**line("image"), "ownerId": owner} for _ in range(3)]
    members = [
        [{**line("member"), "imageId": image["id"], "tenantId": consumer} for consumer in consumers] for image in images
    ]
    return [row for image, some in zip(images, members, strict=True) for row in (image, *some)]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes(_text(rows))


def digest(rows: list[dict[str, Any]]) -> str:
    return hashlib.sha256(_text(rows)).hexdigest()


def parsed(rows: list[dict[str, Any]]) -> list[Line]:
    parse = partial(row_of, tenant_id_pattern="[0-9]{1,20}", now=datetime.now(UTC))
    [lines] = batches(BytesIO(_text(rows)), parse)
    return lines


def _text(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
