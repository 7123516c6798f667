"""The items of a watch from a cursor on, until it is silent."""

from typing import Any

import pytest

from tests.harness.gateway import Tenant, WatchRefused


async def now(caller: Tenant, **variables: Any) -> str:
    async with caller.watching(**variables) as items:
        return (await anext(items))["cursor"]


async def expect(caller: Tenant, after: str, expected: list[Any]) -> None:
    heard = [as_of_the_event(item) for item in await items_until_silence(caller, after)]
    assert heard == expected


async def items_until_silence(caller: Tenant, after: str, **variables: Any) -> list[Any]:
    """Every change up to the bookmark that ends the first silence."""
    heard: list[Any] = []
    await caller.caught_up()
    async with caller.watching(after=after, **variables) as items:
        async for item in items:
            if item["__typename"] == "WatchBookmark":
                break
            heard.append(item)
    return heard


async def expect_refusal(caller: Tenant, code: str, said: str, **variables: Any) -> None:
    with pytest.raises(WatchRefused) as refusal:
        async with caller.watching(**variables) as items:
            await anext(items)
    assert refusal.value.code == code
    assert said in str(refusal.value)


def as_of_the_event(item: Any) -> Any:
    return {name: value for name, value in item.items() if name != "member"}
