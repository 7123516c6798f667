"""Which queries go the short way, and that a wrong step on it would be seen."""

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
from tests.harness.queries import Query
from tests.plan.test_equality import PopulatedGateway, both_ways, cast

_ = cast
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
async def test_what_can_not_be_planned_is_left_and_counted(cast: PopulatedGateway, text: str, reason: str) -> None:
    before = cast.planner.fallbacks[reason]

    assert await cast.planner.answer(text, "Q", {}, cast.viewers["owner"].caller) is None
    assert cast.planner.fallbacks[reason] == before + 1


async def test_nobody_is_answered_without_a_token(cast: PopulatedGateway) -> None:
    assert await cast.planner.answer("{ viewer { id } }", None, {}, None) is None


async def test_a_query_that_takes_longer_than_the_loop_can_spare_is_answered_all_the_same(
    cast: PopulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.plan.reader.STEPS_BETWEEN_CHECKS", 1)
    monkeypatch.setattr("app.store.plan.reader.LOOP_SECONDS", -1)
    await cast.reader.close()

    short, long, _ = await both_ways(cast, cast.viewers["owner"], MEMBERS)
    await cast.reader.close()

    assert short == long


async def test_a_plan_that_forgot_who_may_see_a_member_would_be_seen(
    cast: PopulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_everyone(scope: Scope, wanted: Any) -> Rows:
        rows = lists._image_members(scope, wanted)
        return rows._replace(paths=[AccessPath(path.rows, path.where[:1]) for path in rows.paths])

    monkeypatch.setitem(LISTS, ("image", "members"), of_everyone)
    planned_now = Query(f"{MEMBERS.text} # not planned before", MEMBERS.variables)

    short, long, _ = await both_ways(cast, cast.viewers["consumer"], planned_now)

    assert short != long


async def test_a_plan_that_told_everyone_the_owner_would_be_seen(
    cast: PopulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(parts: Any, scope: Scope) -> Any:
        return objects.render("tenant", parts, objects._of_tenant(scope, scope.image.c.owner_id))

    monkeypatch.setitem(RELATIONS, ("image", "owner"), told)
    community = Query(f"{OWNERS.text} # not planned before", {"id": await _community(cast)})

    short, long, _ = await both_ways(cast, cast.viewers["stranger"], community)

    assert short is not None
    assert short != long


async def _community(cast: PopulatedGateway) -> str:
    found = await cast.viewers["owner"].get("{ images(visibility: COMMUNITY) { nodes { id } } }")
    return found["images"]["nodes"][0]["id"]
