"""Which queries are planned, and that an error in a plan would be noticed."""

from typing import Any

import pytest
from graphql import GraphQLObjectType

from app.api.plan import build, resolver_call
from app.api.schema import build_schema
from app.store.access_paths import AccessPath
from app.store.plan import lists, objects
from app.store.plan.lists import LISTS
from app.store.plan.objects import RELATIONS
from app.store.plan.scope import Rows, Scope
from tests.harness.operations import MUTATIONS
from tests.harness.query_pool import Query
from tests.plan.test_equality import PopulatedGateway, both_ways, populated

_ = populated
CORE = build_schema()._schema
MEMBERS = Query("query Q { images(memberStatus: null) { nodes { id members { nodes { id } } } } }", {})
OWNERS = Query("query Q($id: ID!) { image(id: $id) { owner { id } serverId } }", {"id": "@ids-0"})


def test_every_field_is_planned() -> None:
    assert [f"{name}.{field}" for name in build.KINDS for field in _fields(name) if not _is_planned(name, field)] == []


def _fields(type_name: str) -> list[str]:
    type_: Any = CORE.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    return list(type_.fields)


def _is_planned(type_name: str, field: str) -> bool:
    kind, word = build.KINDS[type_name], build.snake(field)
    is_by_id = kind == "root" and word in build.BY_ID
    if type_name == "Query" and field in resolver_call.QUERIES:
        return True
    return word in build.COLUMNS[kind] or (kind, word) in LISTS or (kind, word) in RELATIONS or is_by_id


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("query Q { offerEvents { pageInfo { endCursor } } viewer { id } }", "Query.offerEvents"),
        ("query Q { a: offerEvents { nodes { kind } } b: offerEvents { nodes { kind } } }", "root fields"),
        ("query Q { offerEvents { nodes { member { id } } } }", "MemberStatusChanged.member"),
        ("query Q { offerEvents(first: 101) { nodes { kind } } }", "refused"),
        ("query Q { ...F } fragment F on Query { ...F }", "refused"),
        ("subscription Q { watchOffers { cursor } }", "subscription"),
        ("query Q { viewer { id } __schema { queryType { name } } }", "Query.__schema"),
        (MUTATIONS["acceptOffer"].replace("mutation", "mutation Q", 1), "mutation"),
        ("query Q { images(first: 0) { totalCount } }", "refused"),
        ("query Q { nope }", "refused"),
        ("query Q {", "refused"),
    ],
)
async def test_unplannable_operations_are_left_to_graphql_core_and_counted(
    populated: PopulatedGateway, text: str, reason: str
) -> None:
    before = populated.planner.fallbacks[reason]

    assert await populated.planner.answer(text, "Q", {}, populated.viewers["owner"].caller) is None
    assert populated.planner.fallbacks[reason] == before + 1


async def test_a_plan_requires_a_token(populated: PopulatedGateway) -> None:
    assert await populated.planner.answer("{ viewer { id } }", None, {}, None) is None


async def test_a_query_that_exceeds_the_loops_share_still_succeeds(
    populated: PopulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.plan.reader.STEPS_BETWEEN_CHECKS", 1)
    monkeypatch.setattr("app.store.plan.reader.LOOP_SECONDS", -1)
    await populated.reader.close()

    short, long, _ = await both_ways(populated, populated.viewers["owner"], MEMBERS)
    await populated.reader.close()

    assert short == long


async def test_a_plan_without_the_visibility_of_members_would_be_noticed(
    populated: PopulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_everyone(scope: Scope, wanted: Any) -> Rows:
        rows = lists._image_members(scope, wanted)
        return rows._replace(paths=[AccessPath(path.rows, path.where[:1]) for path in rows.paths])

    monkeypatch.setitem(LISTS, ("image", "members"), of_everyone)
    planned_now = Query(f"{MEMBERS.text} # not planned before", MEMBERS.variables)

    short, long, _ = await both_ways(populated, populated.viewers["consumer"], planned_now)

    assert short != long


async def test_a_plan_that_reveals_the_owner_would_be_noticed(
    populated: PopulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reveal(parts: Any, scope: Scope) -> Any:
        return objects.render("tenant", parts, objects._of_tenant(scope, scope.image.c.owner_id))

    monkeypatch.setitem(RELATIONS, ("image", "owner"), reveal)
    community = Query(f"{OWNERS.text} # not planned before", {"id": await _community(populated)})

    short, long, _ = await both_ways(populated, populated.viewers["stranger"], community)

    assert short is not None
    assert short != long


async def _community(populated: PopulatedGateway) -> str:
    found = await populated.viewers["owner"].get("{ images(visibility: COMMUNITY) { nodes { id } } }")
    return found["images"]["nodes"][0]["id"]
