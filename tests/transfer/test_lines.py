"""The lines of an import: every mistake in one is found, and what is right becomes the row that it was."""

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest

from app.model import SeenImage
from app.transfer import lines
from app.transfer.lines import Row
from app.transfer.reading import batches, row_of

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ID = "1d9f7f4e-3a51-4bb5-a0d3-6a0b6a1c0f6e"
IMAGE = {
    "type": "image",
    "id": ID,
    "ownerId": "1001",
    "name": "debian",
    "origin": "IMPORT",
    "createdAt": "2026-01-01T00:00:00Z",
}
MEMBER = {
    "type": "member",
    "id": ID,
    "imageId": ID,
    "tenantId": "2002",
    "status": "PENDING",
    "createdAt": "2026-01-01T00:00:00Z",
}


def parse(text: bytes) -> Row:
    return row_of(text, "[0-9]{1,20}", NOW)


def problems(*texts: bytes) -> list[str]:
    [batch] = batches(BytesIO(b"".join(texts)), parse)
    return [
        f"{line.number} {'.'.join(mistake.path or ())}: {mistake.message}"
        for line in batch
        for mistake in line.mistakes
    ]


@pytest.mark.parametrize(
    ("base", "changes", "place", "message"),
    [
        (IMAGE, {"type": "tenant"}, "type", "Give one of image, member."),
        (IMAGE, {"id": "debian-13"}, "id", "Give a UUID with dashes."),
        (IMAGE, {"ownerId": 1001}, "ownerId", "Give a string."),
        (IMAGE, {"ownerId": "acme"}, "ownerId", "has the form"),
        (IMAGE, {"name": "x" * 256}, "name", "Give 1 to 255 characters; this has 256."),
        (IMAGE, {"name": None}, "name", "This field can't be null."),
        (IMAGE, {"status": "active"}, "status", "Give one of QUEUED, UPLOADING,"),
        (IMAGE, {"status": ["ACTIVE"]}, "status", "Give one of"),
        (IMAGE, {"origin": "SNAPSHOT", "sourceUrl": "https://example.org/i"}, "sourceUrl", "does not belong to origin"),
        (IMAGE, {"sourceUrl": "ftp://example.org"}, "sourceUrl", "absolute http or https"),
        (IMAGE, {"sizeBytes": 1.5}, "sizeBytes", "Give an integer."),
        (IMAGE, {"minDiskGb": True}, "minDiskGb", "Give an integer."),
        (IMAGE, {"minRamMb": -1}, "minRamMb", "Give a number from 0"),
        (IMAGE, {"hidden": 0}, "hidden", "Give true or false."),
        (IMAGE, {"tags": ["a", 1]}, "tags", "Give a list of strings."),
        (IMAGE, {"tags": ["a", "a"]}, "tags.1", "This tag is given twice."),
        (IMAGE, {"createdAt": "2026-01-01"}, "createdAt", "Give a time with its offset"),
        (IMAGE, {"createdAt": "2026-01-01T00:00:00"}, "createdAt", "Give a time with its offset"),
        (IMAGE, {"createdAt": "0001-01-01T00:00:00+12:00"}, "createdAt", "Give a time with its offset"),
        (IMAGE, {"updatedAt": "2025-12-31T00:00:00Z"}, "updatedAt", "This is before createdAt."),
        (IMAGE, {"updatedAt": "2027-01-01T00:00:00Z"}, "updatedAt", "This is in the future."),
        (IMAGE, {"owner": "1001"}, "owner", "There is no such field."),
        (MEMBER, {"status": "DECLINED"}, "status", "Give one of PENDING, ACCEPTED, REJECTED."),
        (MEMBER, {"imageId": "debian"}, "imageId", "Give a UUID with dashes."),
        (MEMBER, {"tenantId": "2 002"}, "tenantId", "has the form"),
        (MEMBER, {"name": "debian"}, "name", "There is no such field."),
    ],
)
def test_a_value_that_is_wrong_is_named_with_its_line_and_field(
    base: dict[str, Any], changes: dict[str, Any], place: str, message: str
) -> None:
    [problem] = problems(json.dumps(base | changes).encode())

    where, _, text = problem.removeprefix("1 ").partition(": ")
    assert where in (place, f"input.{place}")
    assert message in text


def test_every_mistake_of_every_line_is_found_and_blank_lines_count() -> None:
    missing = json.dumps({"type": "member", "id": "1", "status": "x"}).encode()

    found = problems(b"\n", b"[]\n", b'{"type":\n', b"\xff\n", missing + b"\r\n", b" " * 100_001 + b"{}\n", b"5")

    assert [problem.partition(" ")[0] for problem in found] == ["2", "3", "4", *"55555", "6", "7"]
    required = [problem.split()[1] for problem in found if "required" in problem]
    assert required == ["imageId:", "tenantId:", "createdAt:"]


def test_what_is_left_out_has_the_defaults_of_a_new_image_and_other_spellings_become_ours() -> None:
    row = parse(json.dumps({**IMAGE, "id": ID.upper(), "createdAt": "2026-01-01T02:00:00.5+02:00"}).encode())

    assert isinstance(row, SeenImage)
    assert (row.id, row.status, row.visibility, row.tags) == (ID, "ACTIVE", "SHARED", [])
    assert row.created_at == row.updated_at == datetime(2026, 1, 1, 0, 0, 0, 500_000, UTC)
    assert parse(lines.write(row)) == row
    assert parse(json.dumps(MEMBER).encode()).updated_at == datetime(2026, 1, 1, tzinfo=UTC)
