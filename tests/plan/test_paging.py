"""Keyset pagination: pages concatenate to the whole list, forwards and backwards, also while rows are inserted."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness.gateway import Gateway, Tenant
from tests.harness.scenario import fresh_id

PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } nodes { id }"
ARGUMENTS = "$first: Int, $last: Int, $after: String, $before: String"
WINDOW = "first: $first, last: $last, after: $after, before: $before"
LISTS = {
    "images": f"query({ARGUMENTS}) {{ images({WINDOW}) {{ {PAGE} }} }}",
    "viewer.images": f"query({ARGUMENTS}) {{ viewer {{ images({WINDOW}) {{ {PAGE} }} }} }}",
    "sentOffers": f"query({ARGUMENTS}) {{ sentOffers({WINDOW}) {{ {PAGE} }} }}",
    "image.members": f"query({ARGUMENTS}, $id: ID!) {{ image(id: $id) {{ members({WINDOW}) {{ {PAGE} }} }} }}",
}
MANY = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Shelf:
    """A producer whose rows have chosen times, so that many have the same one."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.owner: Tenant = gateway.tenant(fresh_id(), "admin")
        self.image = ""

    async def fill(self, moments: list[int]) -> None:
        self.image = await self._at(0, self.owner.register())
        for moment in moments:
            await self.add(moment)

    async def add(self, moment: int) -> None:
        await self._at(moment, self.owner.register())
        await self._at(moment, self.owner.offer(self.image, fresh_id()))

    async def page(self, name: str, **window: Any) -> Any:
        if name == "image.members":
            window["id"] = self.image
        data = await self.owner.get(LISTS[name], **window)
        for step in name.split("."):
            data = data[step]
        assert data["nodes"] == [edge["node"] for edge in data["edges"]]
        return data

    async def _at(self, moment: int, work: Any) -> Any:
        store = self.gateway.services.store
        usual, store.clock = store.clock, lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)
        try:
            return await work
        finally:
            store.clock = usual


@pytest.fixture(scope="module")
async def roomy_gateway(databases: Any) -> Any:
    from tests.harness.gateway import settings_for, start_gateway

    async with start_gateway(settings_for(databases.fresh(), member_quota=-1)) as gateway:
        yield gateway


@MANY
@given(moments=st.lists(st.integers(0, 3), max_size=9), size=st.integers(1, 4))
async def test_pages_concatenate_to_the_whole_list_in_both_directions(
    roomy_gateway: Gateway, moments: list[int], size: int
) -> None:
    shelf = Shelf(roomy_gateway)
    await shelf.fill(moments)
    for name in LISTS:
        whole = _ids(await shelf.page(name, first=100))

        forwards = await _walk_forwards(shelf, name, size)
        backwards = await _walk_backwards(shelf, name, size)

        assert len(whole) == len(set(whole)) == len(moments) + (name in ("images", "viewer.images")), name
        assert forwards == backwards == whole, name


@MANY
@given(
    moments=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    inserts=st.lists(st.integers(0, 4), max_size=4),
    size=st.integers(1, 3),
    name=st.sampled_from(list(LISTS)),
)
async def test_existing_rows_appear_once_while_others_are_inserted(
    roomy_gateway: Gateway, name: str, moments: list[int], inserts: list[int], size: int
) -> None:
    shelf = Shelf(roomy_gateway)
    await shelf.fill(moments)
    there = _ids(await shelf.page(name, first=100))

    for walk in (_walk_forwards, _walk_backwards):
        met = await walk(shelf, name, size, list(inserts))
        assert [id_ for id_ in met if id_ in there] == there
        assert len(met) == len(set(met))


async def _walk_forwards(shelf: Shelf, name: str, size: int, inserts: list[int] | None = None) -> list[str]:
    met: list[str] = []
    window: dict[str, Any] = {"first": size}
    while True:
        page = await shelf.page(name, **window)
        met += _ids(page)
        assert len(met) == len(set(met)), "a row is met twice"
        assert page["pageInfo"]["hasPreviousPage"] == ("after" in window)
        if not page["pageInfo"]["hasNextPage"]:
            return met
        assert len(page["nodes"]) == size
        window["after"] = page["pageInfo"]["endCursor"]
        if inserts:
            await shelf.add(inserts.pop())


async def _walk_backwards(shelf: Shelf, name: str, size: int, inserts: list[int] | None = None) -> list[str]:
    met: list[str] = []
    window: dict[str, Any] = {"last": size}
    while True:
        page = await shelf.page(name, **window)
        met = _ids(page) + met
        assert len(met) == len(set(met)), "a row is met twice"
        assert page["pageInfo"]["hasNextPage"] == ("before" in window)
        if not page["pageInfo"]["hasPreviousPage"]:
            return met
        window["before"] = page["pageInfo"]["startCursor"]
        if inserts:
            await shelf.add(inserts.pop())


@pytest.mark.parametrize(
    ("window", "code"),
    [
        ({"first": 0}, "BAD_USER_INPUT"),
        ({"first": -1}, "BAD_USER_INPUT"),
        ({"first": 101}, "BAD_USER_INPUT"),
        ({"last": 101}, "BAD_USER_INPUT"),
        ({"first": 1, "last": 1}, "BAD_USER_INPUT"),
        ({"after": "zzz"}, "CURSOR_INVALID"),
        ({"after": ""}, "CURSOR_INVALID"),
        ({"before": "é"}, "CURSOR_INVALID"),
        ({"after": "A" * 1000}, "CURSOR_INVALID"),
        ({"after": "MSAy"}, "CURSOR_INVALID"),
    ],
)
async def test_an_invalid_window_is_refused_and_not_corrected(
    shared_gateway: Gateway, window: dict[str, Any], code: str
) -> None:
    caller = shared_gateway.tenant(fresh_id())

    for name in ("images", "viewer.images", "sentOffers"):
        assert (await caller.execute(LISTS[name], **window)).code == code


async def test_a_page_has_20_rows_by_default_and_none_after_the_end(
    roomy_gateway: Gateway,
) -> None:
    shelf = Shelf(roomy_gateway)
    await shelf.fill(list(range(21)))

    first = await shelf.page("sentOffers")
    last = await shelf.page("sentOffers", after=first["pageInfo"]["endCursor"])
    past = await shelf.page("sentOffers", after=last["pageInfo"]["endCursor"])

    assert [len(page["nodes"]) for page in (first, last, past)] == [20, 1, 0]
    assert past["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": True,
        "startCursor": None,
        "endCursor": None,
    }


def _ids(page: Any) -> list[str]:
    return [node["id"] for node in page["nodes"]]


@pytest.mark.parametrize("id_", ["\0", "x", "0" * 36, "", "00000000-0000-0000-0000-00000000000\0"])
async def test_a_cursor_of_an_invented_row_is_invalid_on_every_store(shared_gateway: Gateway, id_: str) -> None:
    cursor = base64.urlsafe_b64encode(f"2026-01-01T00:00:00+00:00 {id_}".encode()).decode()

    answer = await shared_gateway.tenant(fresh_id()).execute(LISTS["images"], first=1, after=cursor)

    assert answer.code == "CURSOR_INVALID"
