"""Reads the items of a watch from a cursor to the next bookmark."""

from typing import Any

import pytest

from tests.harness.gateway import Tenant, WatchRefused


async def current_cursor(caller: Tenant, **variables: Any) -> str:
    async with caller.watch(**variables) as items:
        return (await anext(items))["cursor"]


async def expect_items(caller: Tenant, after: str, expected: list[Any]) -> None:
    items = [without_member(item) for item in await items_until_bookmark(caller, after)]
    assert items == expected


async def items_until_bookmark(caller: Tenant, after: str, **variables: Any) -> list[Any]:
    """All items before the next bookmark."""
    received: list[Any] = []
    await caller.wait_for_feed()
    async with caller.watch(after=after, **variables) as items:
        async for item in items:
            if item["__typename"] == "WatchBookmark":
                break
            received.append(item)
    return received


async def expect_refusal(caller: Tenant, code: str, message: str, **variables: Any) -> None:
    with pytest.raises(WatchRefused) as refusal:
        async with caller.watch(**variables) as items:
            await anext(items)
    assert refusal.value.code == code
    assert message in str(refusal.value)


def without_member(item: Any) -> Any:
    return {name: value for name, value in item.items() if name != "member"}
