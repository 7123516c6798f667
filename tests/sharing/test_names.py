"""Names with bidirectional controls or without visible characters are rejected; stored ones remain readable."""

from typing import Any

import pytest

from app.store import images
from tests.harness.gateway import IMAGE, Gateway
from tests.harness.scenario import fresh_id

REORDERING = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
UNSEEN = [
    *(" ", "\u00a0", "\u3000", "\u2028", "\u200b", "\u200d\u200c", "\ufeff", "\u00ad", "\u034f", "\u061c", "\u115f"),
    *("\u1160", "\u17b4", "\u180e", "\u200e\u200f", "\u2060", "\u2064", "\u2800", "\u3164", "\uffa0", "\ufe0f"),
    *("\U000e0001", "\U000e0020", "\U000e01ef", " \u3164 "),
]
READABLE = [
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "❤\ufe0f",
    "\U0001fae8",
    "שלום עולם",
    "\u0635\u0648\u0631\u0629\u200f 12",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "日本語",
    " lead and trail ",
    "e\u0301",
    "\u200eabc",
]
FIELDS: dict[str, Any] = {
    "name": lambda value: ({"name": value}, ["input", "name"]),
    "tags": lambda value: ({"tags": ["ok", value]}, ["input", "tags", "1"]),
    "checksum": lambda value: ({"checksum": value}, ["input", "checksum"]),
    "serverId": lambda value: ({"origin": "SNAPSHOT", "sourceUrl": None, "serverId": value}, ["input", "serverId"]),
}


@pytest.mark.parametrize("field", FIELDS)
async def test_control_and_invisible_characters_are_refused_in_a_new_image(shared_gateway: Gateway, field: str) -> None:
    owner = shared_gateway.tenant(fresh_id())
    for value in [*(f"a{mark}b" for mark in (*REORDERING, "\u2028", "\u2029")), *UNSEEN]:
        changes, path = FIELDS[field](value)

        payload = await owner.do("registerImage", **{**IMAGE, **changes})

        assert [(error["code"], error["path"]) for error in payload["errors"]] == [("BAD_USER_INPUT", path)], value
    assert (await owner.get("{ images { totalCount } }"))["images"]["totalCount"] == 0


@pytest.mark.parametrize("field", ["name", "tags", "checksum"])
async def test_control_and_invisible_characters_are_refused_in_a_change(shared_gateway: Gateway, field: str) -> None:
    owner = shared_gateway.tenant(fresh_id())
    image = await owner.register()
    for value in ("a\u202eb", "\u2067", "\u200b"):
        changes, path = FIELDS[field](value)

        payload = await owner.update(image, **changes)

        assert [(error["code"], error["path"]) for error in payload["errors"]] == [("BAD_USER_INPUT", path)], value


@pytest.mark.parametrize("name", READABLE)
async def test_emoji_and_scripts_of_either_direction_are_accepted(shared_gateway: Gateway, name: str) -> None:
    owner = shared_gateway.tenant(fresh_id())

    payload = await owner.do("registerImage", **{**IMAGE, "name": name, "tags": [name]})

    assert payload["errors"] == []
    assert (payload["image"]["name"], payload["image"]["tags"]) == (name, [name])


async def test_a_stored_name_can_still_be_read_found_and_kept(gateway: Gateway) -> None:
    owner, old = gateway.tenant(fresh_id()), "photo\u202egnp.iso"
    image = await owner.register(name="plain")
    async with gateway.services.store.transaction() as tx:
        await images.change(tx.conn, image, {"name": old})

    found = await owner.get("query($n: String) { images(name: $n) { nodes { id name } } }", n=old)
    changed = await owner.update(image, minDiskGb=3)

    assert found["images"]["nodes"] == [{"id": image, "name": old}]
    assert (changed["errors"], changed["image"]["name"]) == ([], old)
