"""What is understood of an image as Glance describes it."""

from typing import Any

import pytest

from app.model import ImageOrigin, ImageStatus
from app.upstream.views import image_view

BODY: dict[str, Any] = {
    "id": "5d2f6f0a-7b1a-4f6e-9d0f-3f5a3b1c2d4e",
    "owner": "1",
    "status": "active",
    "visibility": "shared",
    "created_at": "2026-11-28T00:00:00Z",
    "updated_at": "2026-11-28T00:00:00Z",
}


@pytest.mark.parametrize(
    ("told", "column", "understood"),
    [
        *(({"status": status.lower()}, "status", status) for status in ImageStatus),
        ({"status": "one of a later Glance"}, "status", ImageStatus.SAVING),
        ({"disk_format": "qcow2"}, "disk_format", "qcow2"),
        ({"container_format": "bare"}, "container_format", "bare"),
        ({"disk_format": None}, "disk_format", None),
        ({"image_type": "snapshot", "instance_uuid": "srv"}, "origin", ImageOrigin.SNAPSHOT),
        ({"image_type": "snapshot", "instance_uuid": "srv"}, "server_id", "srv"),
        ({"image_type": "image"}, "origin", ImageOrigin.IMPORT),
        ({"os_hash_value": "abc", "checksum": "def"}, "checksum", "abc"),
        ({"checksum": "def"}, "checksum", "def"),
    ],
)
def test_a_field_of_glance_is_understood(told: dict[str, Any], column: str, understood: Any) -> None:
    assert getattr(image_view({**BODY, **told}), column) == understood
