"""Statements of nested reads are compiled once, because compiling takes longer than executing."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.sql.compiler import SQLCompiler

from app.model import MemberStatus
from app.store import images, members
from app.store.member_paths import MemberFilter
from app.store.pages import PageRequest, Position
from app.store.snapshot import read_once
from tests.harness.gateway import Gateway
from tests.harness.scenario import Scenario, make_scenario

Read = Callable[[Scenario, list[str], str], tuple[Any, ...]]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
READS: dict[str, Read] = {
    "images": lambda scenario, ids, _: (images.find, scenario.owner.caller, ids),
    "members": lambda scenario, ids, _: (members.find, scenario.owner.caller, ids),
    "members of images": lambda scenario, ids, tenant: (
        members.of_images,
        scenario.owner.caller,
        ids,
        MemberFilter((MemberStatus.PENDING,), tenant_id=tenant),
        PageRequest(first=len(tenant), after=Position(NOW, ids[0])),
    ),
    "counts of members": lambda scenario, ids, tenant: (
        members.count_of_images,
        scenario.owner.caller,
        ids,
        MemberFilter(tenant_id=tenant),
    ),
}


@pytest.mark.parametrize("kind", READS)
async def test_a_read_of_several_ids_is_compiled_once_for_all_values(
    shared_gateway: Gateway, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    store = shared_gateway.services.store
    await read_once(store, *READS[kind](scenario, [scenario.image, "b", "c"], scenario.consumer.id))
    compiled: list[object] = []
    compile = SQLCompiler.__init__
    monkeypatch.setattr(
        SQLCompiler,
        "__init__",
        lambda self, *args, **kwargs: (compiled.append(self), compile(self, *args, **kwargs))[1],
    )

    await read_once(store, *READS[kind](scenario, ["d", "e", "f", scenario.image], "another"))

    assert compiled == []


async def test_a_repeated_id_is_found_once(shared_gateway: Gateway) -> None:
    scenario = await make_scenario(shared_gateway, "pending")
    store, caller = shared_gateway.services.store, scenario.owner.caller
    assert caller is not None

    for ids in ([scenario.image], [scenario.image] * 2, ["x", scenario.image, "y"]):
        assert list(await read_once(store, images.find, caller, ids)) == [scenario.image]
