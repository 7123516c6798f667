"""Execution with a plan and with graphql-core: equal values in equal order, for every kind of viewer."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.api.plan.planner import Planner
from app.store.plan.reader import open_reader
from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, Tenant, settings_for, start_gateway
from tests.harness.queries import SEALED, operations_of, queries
from tests.harness.query_pool import Pool, Query
from tests.harness.scenario import Scenario, make_scenario

ODD_NAMES = ['say "hi"', "back\\slash", "naïve ☃ 𝄞", "percent % and :colon and 'quote'", "</script>"]
CURSORS = """{ images(first: 4, memberStatus: null, hidden: null) { edges { cursor } }
  offers(status: null) { edges { cursor } } sentOffers { edges { cursor } } }"""


VIEWERS = ("owner", "consumer", "other", "stranger", "operator", "observer", "owner and operator", "anonymous")


class PopulatedGateway:
    """A gateway with many rows, and viewers of every kind."""

    def __init__(self, gateway: Gateway, viewers: dict[str, Tenant], pool: Pool) -> None:
        self.gateway = gateway
        self.viewers = viewers
        self.pool = pool
        services = gateway.services
        self.reader = open_reader(services.store)
        self.planner = Planner(gateway.schema.documents, services, self.reader)


@pytest.fixture(scope="module")
async def populated(databases: Databases) -> AsyncGenerator[PopulatedGateway]:
    async with start_gateway(settings_for(databases.fresh())) as gateway:
        scenario = await make_scenario(gateway, "pending", name=ODD_NAMES[0], tags=["ünï", 'q"', "\\"])
        await _fill(gateway, scenario)
        populated = PopulatedGateway(gateway, _viewers(gateway, scenario), await _pool(scenario))
        yield populated
        await populated.reader.close()


async def _fill(gateway: Gateway, scenario: Scenario) -> None:
    for number, name in enumerate(ODD_NAMES):
        image = await scenario.owner.register(
            name=name, externalId=name, sizeBytes=number or None, osType="LINUX", hidden=number == 1
        )
        await scenario.owner.offer(image, scenario.consumer.id, scenario.other.id)
        await (scenario.consumer.accept if number % 2 else scenario.consumer.reject)(image)
        visibility = ["SHARED", "SHARED", "COMMUNITY", "PRIVATE", "PUBLIC"][number]
        changer = gateway.tenant(scenario.owner.id, "admin", "operator")
        await changer.update(image, visibility=visibility)
    theirs = await scenario.consumer.register(origin="SNAPSHOT", sourceUrl=None, serverId="srv", checksum="md5:1")
    await scenario.consumer.offer(theirs, scenario.owner.id)


def _viewers(gateway: Gateway, scenario: Scenario) -> dict[str, Tenant]:
    observer = gateway.tenant(scenario.owner.id, "observer")
    both = gateway.tenant(scenario.owner.id, "admin", "operator")
    seen = {name: scenario.caller(name) for name in VIEWERS[:5]}
    return {**seen, "observer": observer, "owner and operator": both, "anonymous": gateway.anonymous}


async def _pool(scenario: Scenario) -> Pool:
    answer = await scenario.owner.get(CURSORS)
    log = await scenario.owner.get("{ offerEvents { nodes { cursor } } sentOffers { watchCursor } }")
    places = [node["cursor"] for node in log["offerEvents"]["nodes"]] + [log["sentOffers"]["watchCursor"]] * 20
    cursors = [edge["cursor"] for page in answer.values() for edge in page["edges"]]
    members = (await scenario.owner.get("{ sentOffers { nodes { id image { id } } } }"))["sentOffers"]["nodes"]
    ids = [member["id"] for member in members] + [member["image"]["id"] for member in members]
    tenants = [scenario.owner.id, scenario.consumer.id, scenario.other.id, "404"]
    return Pool([*ids, *tenants, "nonsense", "\0", ""], tenants, [*ODD_NAMES, "ubuntu"], [*cursors, "nonsense"], places)


async def both_ways(populated: PopulatedGateway, viewer: Tenant, query: Query) -> tuple[Any, Any, bool]:
    """The result with a plan, the result with graphql-core, and whether the latter has errors."""
    short = await populated.planner.answer(query.text, "Q", query.variables, viewer.caller)
    long = await viewer.execute(query.text, **query.variables)
    return None if short is None else _ordered(json.loads(short)), _ordered(long.data), bool(long.errors)


def _ordered(value: Any) -> Any:
    """The value with objects as lists of pairs, so that their order counts, and without random cursors."""
    if isinstance(value, dict):
        return [(key, "sealed" if key == SEALED else _ordered(one)) for key, one in value.items()]
    return [_ordered(one) for one in value] if isinstance(value, list) else value


MANY = settings(
    max_examples=max(80, settings().max_examples),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


DRAWN = given(viewer=st.sampled_from(VIEWERS), query=queries() | operations_of("query", "offerEvents"))


@pytest.mark.slow
@MANY
@DRAWN
async def test_a_plan_returns_what_graphql_core_returns(populated: PopulatedGateway, viewer: str, query: Query) -> None:
    await _compare(populated, viewer, query)


@pytest.mark.long
@settings(MANY, max_examples=1_000)
@DRAWN
async def test_plans_of_a_thousand_queries_return_what_graphql_core_returns(
    populated: PopulatedGateway, viewer: str, query: Query
) -> None:
    await _compare(populated, viewer, query)


async def _compare(populated: PopulatedGateway, viewer: str, query: Query) -> None:
    short, long, has_errors = await both_ways(populated, populated.viewers[viewer], query.fill(populated.pool))

    if short is not None:
        assert not has_errors
        assert short == long


@pytest.mark.slow
async def test_most_successful_queries_were_planned(populated: PopulatedGateway) -> None:
    """Otherwise the tests above would compare little."""
    by_request = sum(
        count for reason, count in populated.planner.fallbacks.items() if reason in ("refused", "anonymous")
    )
    long_ways = populated.planner.fallbacks.total() - by_request

    assert populated.planner.answered > 3 * long_ways
