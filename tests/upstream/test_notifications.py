"""What is taken from a notification: which image to look at, and nothing else."""

import json
from typing import Any

import pytest

from app.upstream.notifications import LONGEST, image_in

IMAGE = "5d2f6f0a-7b1a-4f6e-9d0f-3f5a3b1c2d4e"


def wrapped(**event: Any) -> bytes:
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(event)}).encode()


@pytest.mark.parametrize(
    "body",
    [
        wrapped(event_type="image.update", payload={"id": IMAGE}),
        wrapped(event_type="image.member.create", payload={"image_id": IMAGE, "member_id": "1", "status": "pending"}),
        json.dumps({"event_type": "image.delete", "payload": {"id": IMAGE}}).encode(),
    ],
)
def test_a_notification_names_an_image(body: bytes) -> None:
    assert image_in(body) == IMAGE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"oslo.message": "no JSON"}',
        b'{"oslo.message": 5}',
        wrapped(event_type="image.update"),
        wrapped(event_type="image.update", payload=[]),
        wrapped(event_type="image.update", payload={"id": 5}),
        wrapped(event_type="image.update", payload={"id": "x" * 37}),
        wrapped(event_type="identity.user.updated", payload={"id": IMAGE}),
        wrapped(event_type="image.update", payload={"id": IMAGE, "name": "x" * LONGEST}),
    ],
)
def test_anything_else_names_none(body: bytes) -> None:
    assert image_in(body) is None
