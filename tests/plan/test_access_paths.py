"""Ways into a list find what one predicate says, once each, and none of them looks through a whole table."""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from sqlalchemy import ColumnElement, and_, not_, select, text

from app.api.plan.planner import PlannedQuery
from app.model import Caller, MemberStatus
from app.store import keyset_windows, pages
from app.store.access_paths import AccessPath
from app.store.plan.lists import LISTS
from app.store.plan.statement import compile_statement
from app.store.rights import IMAGE, MEMBER, Rights
from tests.harness.gateway import Tenant
from tests.harness.statements import record_statements
from tests.plan.test_equality import Cast, cast

_ = cast
STATUSES = [chosen for size in range(4) for chosen in combinations(MemberStatus, size)]
VIEWERS = ("owner", "consumer", "other", "stranger", "operator", "owner and operator")
PAGE = "edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
WINDOWS = ("first: 3", "last: 3", 'first: 3, after: "@"', 'last: 3, before: "@"')
IMAGES_OF = f"images(@) {{ {PAGE} }}"
QUERIES = {
    ("root", "images"): (
        IMAGES_OF,
        f"images(@, memberStatus: null, hidden: null) {{ {PAGE} }}",
        f'images(@, externalId: "x") {{ {PAGE} }}',
    ),
    ("root", "offers"): (f"offers(@) {{ {PAGE} }}", f"offers(@, status: null) {{ {PAGE} }}"),
    ("root", "sent_offers"): (f"sentOffers(@) {{ {PAGE} }}",),
    ("tenant", "images"): (f"viewer {{ {IMAGES_OF} }}", f'image(id: "%") {{ owner {{ {IMAGES_OF} }} }}'),
    ("image", "members"): (f'image(id: "%") {{ members(@) {{ {PAGE} }} }}',),
}
COUNTS = ("images", "offers", "sentOffers")
SCANNED = re.compile(r"^SCAN (?:image|member)(?:_\d+)?(?: USING (?:COVERING )?INDEX (\w+))?$")
WHOLE = "the table"


@pytest.mark.parametrize("name", VIEWERS)
async def test_the_ways_into_the_list_find_what_is_listed_and_nothing_twice(cast: Cast, name: str) -> None:
    viewer = _caller(cast, name)
    for statuses in STATUSES:
        rights = Rights(viewer)
        listed = await _ids(cast, rights.lists_image(statuses))

        assert await _found(cast, rights.list_paths(statuses)) == listed
        for owner in cast.pool.tenants:
            theirs = and_(rights.lists_image(statuses), rights.is_party(), IMAGE.c.owner_id == owner)
            assert await _found(cast, rights.list_paths(statuses, owner)) == await _ids(cast, theirs)


@pytest.mark.parametrize("name", VIEWERS)
async def test_the_ways_of_a_party_find_the_images_of_which_the_viewer_is_one(cast: Cast, name: str) -> None:
    rights = Rights(_caller(cast, name))

    assert await _found(cast, rights.party_paths()) == await _ids(cast, rights.is_party())
    for owner in cast.pool.tenants:
        theirs = and_(rights.is_party(), IMAGE.c.owner_id == owner)
        assert await _found(cast, rights.party_paths(owner=owner)) == await _ids(cast, theirs)


@pytest.mark.parametrize("name", VIEWERS)
async def test_who_sees_a_member_row_is_a_party_of_its_image(cast: Cast, name: str) -> None:
    """So whose image it is needs no question there."""
    rights = Rights(_caller(cast, name))
    joined: Any = select(MEMBER.c.id).join(IMAGE, IMAGE.c.id == MEMBER.c.image_id)

    async with cast.gateway.services.store.reader.connect() as conn:
        assert (await conn.execute(joined.where(rights.may_see_member(), not_(rights.is_party())))).all() == []


async def test_a_way_that_let_too_many_in_would_be_seen(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    rights = Rights(_caller(cast, "consumer"))
    listed = await _ids(cast, rights.lists_image((MemberStatus.ACCEPTED,)))
    monkeypatch.setattr(Rights, "_is_shared", lambda self: self.image.visibility.is_not(None))

    assert await _found(cast, rights.list_paths((MemberStatus.ACCEPTED,))) != listed


def test_each_list_is_among_those_whose_reading_is_watched() -> None:
    assert QUERIES.keys() == LISTS.keys()


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("place", QUERIES)
@pytest.mark.parametrize("name", ["owner", "consumer", "operator"])
async def test_no_planned_list_looks_through_a_whole_table(
    cast: Cast, name: str, place: tuple[str, str], window: str
) -> None:
    for query in QUERIES[place]:
        sql = _planned(cast, _filled(cast, query, window), cast.viewers[name])

        assert await _scans(cast, sql) <= _allowed(name, place)


@pytest.mark.parametrize("count", COUNTS)
async def test_no_count_looks_through_a_whole_table(cast: Cast, count: str) -> None:
    assert await _scans(cast, _planned(cast, f"query Q {{ {count} {{ totalCount }} }}", cast.viewers["owner"])) == set()


@pytest.mark.parametrize("name", ["owner", "consumer", "operator"])
@pytest.mark.parametrize("place", QUERIES)
async def test_no_list_that_is_read_the_long_way_looks_through_a_whole_table(
    cast: Cast, name: str, place: tuple[str, str]
) -> None:
    for query in QUERIES[place]:
        with record_statements(cast.gateway) as sent:
            await cast.viewers[name].execute(_filled(cast, query, WINDOWS[0]))

        for sql in sent:
            assert await _scans(cast, sql) <= _allowed(name, place)


def _allowed(name: str, place: tuple[str, str]) -> set[str]:
    """Every image is in the list of operators, so its page is the first images there are, by creation."""
    return {"image_by_creation"} if (name, place) == ("operator", ("root", "images")) else set()


def _caller(cast: Cast, name: str) -> Caller:
    caller = cast.viewers[name].caller
    assert caller is not None
    return caller


async def _found(cast: Cast, paths: list[AccessPath]) -> list[str]:
    async with cast.gateway.services.store.reader.connect() as conn:
        return sorted(row.id for row in await conn.execute(keyset_windows.every(paths, pages.sort_key(IMAGE))))


async def _ids(cast: Cast, predicate: ColumnElement[bool]) -> list[str]:
    async with cast.gateway.services.store.reader.connect() as conn:
        return sorted(row.id for row in await conn.execute(select(IMAGE.c.id).where(predicate)))


def _filled(cast: Cast, query: str, window: str) -> str:
    window = window.replace("@", cast.pool.cursors[0])
    return f"query Q {{ {query} }}".replace("@", window).replace("%", cast.pool.ids[-6])


def _planned(cast: Cast, query: str, viewer: Tenant) -> str:
    """The statement that the query is on this engine."""
    planned: Any = cast.planner._planned(query, "Q")
    caller = viewer.caller
    assert isinstance(planned, PlannedQuery)
    assert caller is not None
    parts, bindings = planned.tree({})
    places = tuple(binding.bind(cast.planner._pattern, caller.tenant_id, {}) for binding in bindings)
    return compile_statement(parts, caller.is_operator, places, cast.reader.dialect).sql


@pytest.mark.parametrize("databases", ["postgres"], indirect=True)
@pytest.mark.parametrize("window", WINDOWS)
async def test_on_postgresql_each_way_ends_after_a_page(cast: Cast, window: str) -> None:
    """What is joined from paths without an end is sorted whole; SQLite takes from each as much as it needs."""
    for query in (*QUERIES["root", "images"], *QUERIES["tenant", "images"]):
        steps = list(
            _steps(await _explained(cast, _planned(cast, _filled(cast, query, window), cast.viewers["owner"])))
        )
        joined = [below for step in steps if step["Node Type"].endswith("Append") for below in step["Plans"]]

        assert [step["Node Type"] for step in joined if not _ends(step)] == []


def _ends(step: dict[str, Any]) -> bool:
    return step["Node Type"] == "Limit" or (step["Node Type"] == "Subquery Scan" and _ends(step["Plans"][0]))


async def _scans(cast: Cast, sql: str) -> set[str]:
    """Through what the engine would look at images or members from the first to the last."""
    async with cast.gateway.services.store.reader.connect() as conn:
        raw: Any = (await conn.get_raw_connection()).driver_connection
        if conn.dialect.name == "sqlite":
            unbound = re.sub(r":\w+|\?", "NULL", sql)
            steps = [SCANNED.match(row[3]) async for row in await raw.execute(f"EXPLAIN QUERY PLAN {unbound}")]
            return {step[1] or WHOLE for step in steps if step is not None}
    return {
        step.get("Index Name", WHOLE)
        for step in _steps(await _explained(cast, sql))
        if step.get("Relation Name") in ("image", "member") and not step.keys() & {"Index Cond", "Recheck Cond"}
    }


async def _explained(cast: Cast, sql: str) -> dict[str, Any]:
    """How PostgreSQL would go about it, whatever the values."""
    async with cast.gateway.services.store.reader.connect() as conn:
        raw: Any = (await conn.get_raw_connection()).driver_connection
        # The tables of the tests are so small that the server would rather read them whole.
        await conn.execute(text("SET LOCAL enable_seqscan = off"))
        [[[whole]]] = await (await raw.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {_numbered(sql)}")).fetchall()
        return whole["Plan"]


def _numbered(sql: str) -> str:
    """With parameters as the server itself spells them."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", sql)))
    return re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", sql).replace("%%", "%")


def _steps(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield step
    for below in step.get("Plans", ()):
        yield from _steps(below)
