"""The words that a claim gives: from a text, a list, or an object that says for whom each counts."""

from typing import Any

import pytest

from app.web.callers.claim_paths import words

TENANT = "227182935000000001"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("admin", ["admin"]),
        ("", []),
        ("image:read  image:share", ["image:read  image:share", "image:read", "image:share"]),
        ("Image Admins", ["Image Admins", "Image", "Admins"]),
        ("x\u00a0operator", ["x\u00a0operator"]),
        (["Image Admins", 7], ["Image Admins"]),
        ({"admin": {TENANT: "acme.example"}, "creator": {"9": TENANT}}, ["admin"]),
        ({"admin": {}, "creator": [], "observer": None, "operator": False}, []),
    ],
)
def test_a_claim_gives_its_words(value: Any, expected: list[str]) -> None:
    assert words(value, TENANT) == expected
