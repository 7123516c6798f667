"""Cursors of a watch: valid only for their viewer and filter, and tamper-proof."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, settings_for, start_gateway
from tests.harness.scenario import make_scenario
from tests.harness.watch_items import current_cursor, expect_items, expect_refusal, items_until_bookmark


@pytest.fixture(scope="module")
async def live_gateway(databases: Databases) -> AsyncGenerator[Gateway]:
    """A gateway for many watches, with frequent bookmarks, so that a test knows when all changes have arrived."""
    async with start_gateway(settings_for(databases.fresh(), bookmark_seconds=0.15)) as gateway:
        yield gateway


async def test_a_cursor_is_valid_only_for_its_viewer_and_its_filter(live_gateway: Gateway) -> None:
    scenario = await make_scenario(live_gateway, "pending")
    cursor = await current_cursor(scenario.consumer)

    await expect_refusal(scenario.other, "CURSOR_INVALID", "another viewer", after=cursor)
    await expect_refusal(
        scenario.consumer, "CURSOR_INVALID", "another filter", after=cursor, filter={"role": "CONSUMER"}
    )
    await expect_items(live_gateway.tenant(scenario.consumer.id, "observer"), cursor, [])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c[:-1],
        lambda c: _other(c[0]) + c[1:],
        lambda c: c[:-1] + _other(c[-1]),
        lambda c: "",
        lambda c: "é",
        lambda c: c * 2,
    ],
)
async def test_a_modified_cursor_is_refused(live_gateway: Gateway, spoil: Any) -> None:
    scenario = await make_scenario(live_gateway, "none")

    await expect_refusal(scenario.owner, "CURSOR_INVALID", "", after=spoil(await current_cursor(scenario.owner)))


async def test_the_cursor_of_an_item_is_the_same_within_a_tenant_and_differs_between_parties(
    live_gateway: Gateway,
) -> None:
    scenario = await make_scenario(live_gateway, "pending")
    starts = {caller: await current_cursor(caller) for caller in (scenario.owner, scenario.consumer)}
    await scenario.consumer.accept(scenario.image)

    twice = [[await items_until_bookmark(caller, start) for _ in range(2)] for caller, start in starts.items()]

    assert twice[0][0] == twice[0][1]
    assert twice[0][0][0]["cursor"] != twice[1][0][0]["cursor"]


def _other(letter: str) -> str:
    """The next letter of the alphabet, which may differ in a single bit."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(letter) ^ 1]
