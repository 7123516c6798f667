"""The access paths of a list find exactly the visible rows, once each, and none of them scans a table."""

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
from tests.plan.test_equality import PopulatedGateway, populated

_ = populated
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
async def test_the_access_paths_of_the_image_list_find_each_listed_image_once(
    populated: PopulatedGateway, name: str
) -> None:
    viewer = _caller(populated, name)
    for statuses in STATUSES:
        rights = Rights(viewer)
        listed = await _ids(populated, rights.lists_image(statuses))

        assert await _found(populated, rights.list_paths(statuses)) == listed
        for owner in populated.pool.tenants:
            theirs = and_(rights.lists_image(statuses), rights.is_party(), IMAGE.c.owner_id == owner)
            assert await _found(populated, rights.list_paths(statuses, owner)) == await _ids(populated, theirs)


@pytest.mark.parametrize("name", VIEWERS)
async def test_the_access_paths_of_a_party_find_the_images_of_its_memberships(
    populated: PopulatedGateway, name: str
) -> None:
    rights = Rights(_caller(populated, name))

    assert await _found(populated, rights.party_paths()) == await _ids(populated, rights.is_party())
    for owner in populated.pool.tenants:
        theirs = and_(rights.is_party(), IMAGE.c.owner_id == owner)
        assert await _found(populated, rights.party_paths(owner=owner)) == await _ids(populated, theirs)


@pytest.mark.parametrize("name", VIEWERS)
async def test_the_viewer_of_a_member_row_is_a_party_to_its_image(populated: PopulatedGateway, name: str) -> None:
    """So the ownership of the image need not be checked there."""
    rights = Rights(_caller(populated, name))
    joined: Any = select(MEMBER.c.id).join(IMAGE, IMAGE.c.id == MEMBER.c.image_id)

    async with populated.gateway.services.store.reader.connect() as conn:
        assert (await conn.execute(joined.where(rights.may_see_member(), not_(rights.is_party())))).all() == []


async def test_an_access_path_that_finds_too_much_would_be_noticed(
    populated: PopulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights = Rights(_caller(populated, "consumer"))
    listed = await _ids(populated, rights.lists_image((MemberStatus.ACCEPTED,)))
    monkeypatch.setattr(Rights, "_is_shared", lambda self: self.image.visibility.is_not(None))

    assert await _found(populated, rights.list_paths((MemberStatus.ACCEPTED,))) != listed


def test_the_access_paths_of_every_list_are_checked() -> None:
    assert QUERIES.keys() == LISTS.keys()


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("place", QUERIES)
@pytest.mark.parametrize("name", ["owner", "consumer", "operator"])
async def test_no_planned_list_scans_a_table(
    populated: PopulatedGateway, name: str, place: tuple[str, str], window: str
) -> None:
    for query in QUERIES[place]:
        sql = _planned(populated, _filled(populated, query, window), populated.viewers[name])

        assert await _scans(populated, sql) <= _allowed(name, place)


@pytest.mark.parametrize("count", COUNTS)
async def test_no_count_scans_a_table(populated: PopulatedGateway, count: str) -> None:
    assert (
        await _scans(
            populated, _planned(populated, f"query Q {{ {count} {{ totalCount }} }}", populated.viewers["owner"])
        )
        == set()
    )


@pytest.mark.parametrize("name", ["owner", "consumer", "operator"])
@pytest.mark.parametrize("place", QUERIES)
async def test_no_list_executed_without_a_plan_scans_a_table(
    populated: PopulatedGateway, name: str, place: tuple[str, str]
) -> None:
    for query in QUERIES[place]:
        with record_statements(populated.gateway) as sent:
            await populated.viewers[name].execute(_filled(populated, query, WINDOWS[0]))

        for sql in sent:
            assert await _scans(populated, sql) <= _allowed(name, place)


def _allowed(name: str, place: tuple[str, str]) -> set[str]:
    """The list of operators contains every image, so its page is a scan in order of creation."""
    return {"image_by_creation"} if (name, place) == ("operator", ("root", "images")) else set()


def _caller(populated: PopulatedGateway, name: str) -> Caller:
    caller = populated.viewers[name].caller
    assert caller is not None
    return caller


async def _found(populated: PopulatedGateway, paths: list[AccessPath]) -> list[str]:
    async with populated.gateway.services.store.reader.connect() as conn:
        return sorted(row.id for row in await conn.execute(keyset_windows.every(paths, pages.sort_key(IMAGE))))


async def _ids(populated: PopulatedGateway, predicate: ColumnElement[bool]) -> list[str]:
    async with populated.gateway.services.store.reader.connect() as conn:
        return sorted(row.id for row in await conn.execute(select(IMAGE.c.id).where(predicate)))


def _filled(populated: PopulatedGateway, query: str, window: str) -> str:
    window = window.replace("@", populated.pool.cursors[0])
    return f"query Q {{ {query} }}".replace("@", window).replace("%", populated.pool.ids[-6])


def _planned(populated: PopulatedGateway, query: str, viewer: Tenant) -> str:
    """The SQL statement of the query on this engine."""
    planned: Any = populated.planner._planned(query, "Q")
    caller = viewer.caller
    assert isinstance(planned, PlannedQuery)
    assert caller is not None
    parts, bindings = planned.tree({})
    places = tuple(binding.bind(populated.planner._pattern, caller.tenant_id, {}) for binding in bindings)
    return compile_statement(parts, caller.is_operator, places, populated.reader.dialect).sql


@pytest.mark.parametrize("databases", ["postgres"], indirect=True)
@pytest.mark.parametrize("window", WINDOWS)
async def test_on_postgresql_each_access_path_stops_after_a_page(populated: PopulatedGateway, window: str) -> None:
    """Without a limit, the union of the paths would be sorted as a whole; SQLite reads from each only what it needs."""
    for query in (*QUERIES["root", "images"], *QUERIES["tenant", "images"]):
        steps = list(
            _steps(
                await _explained(
                    populated, _planned(populated, _filled(populated, query, window), populated.viewers["owner"])
                )
            )
        )
        joined = [below for step in steps if step["Node Type"].endswith("Append") for below in step["Plans"]]

        assert [step["Node Type"] for step in joined if not _ends(step)] == []


def _ends(step: dict[str, Any]) -> bool:
    return step["Node Type"] == "Limit" or (step["Node Type"] == "Subquery Scan" and _ends(step["Plans"][0]))


async def _scans(populated: PopulatedGateway, sql: str) -> set[str]:
    """The tables of images and members that the engine would scan."""
    async with populated.gateway.services.store.reader.connect() as conn:
        raw: Any = (await conn.get_raw_connection()).driver_connection
        if conn.dialect.name == "sqlite":
            unbound = re.sub(r":\w+|\?", "NULL", sql)
            steps = [SCANNED.match(row[3]) async for row in await raw.execute(f"EXPLAIN QUERY PLAN {unbound}")]
            return {step[1] or WHOLE for step in steps if step is not None}
    return {
        step.get("Index Name", WHOLE)
        for step in _steps(await _explained(populated, sql))
        if step.get("Relation Name") in ("image", "member") and not step.keys() & {"Index Cond", "Recheck Cond"}
    }


async def _explained(populated: PopulatedGateway, sql: str) -> dict[str, Any]:
    """PostgreSQL's generic plan of the statement."""
    async with populated.gateway.services.store.reader.connect() as conn:
        raw: Any = (await conn.get_raw_connection()).driver_connection
        # The tables of the tests are so small that the planner would prefer sequential scans.
        await conn.execute(text("SET LOCAL enable_seqscan = off"))
        [[[whole]]] = await (await raw.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {_numbered(sql)}")).fetchall()
        return whole["Plan"]


def _numbered(sql: str) -> str:
    """The statement with PostgreSQL's numbered parameters."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", sql)))
    return re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", sql).replace("%%", "%")


def _steps(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield step
    for below in step.get("Plans", ()):
        yield from _steps(below)
