"""The short way of a query and the long one: equal values, in equal order, for every kind of viewer."""

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
from tests.harness.queries import SEALED, Pool, Query, operations_of, queries
from tests.harness.world import World, make_world

ODD_NAMES = ['say "hi"', "back\\slash", "naïve ☃ 𝄞", "percent % and :colon and 'quote'", "</script>"]
CURSORS = """{ images(first: 4, memberStatus: null, hidden: null) { edges { cursor } }
  offers(status: null) { edges { cursor } } sentOffers { edges { cursor } } }"""


VIEWERS = ("owner", "consumer", "other", "stranger", "operator", "observer", "owner and operator", "anonymous")


class Cast:
    """A gateway with much in it, and everyone who may look at it."""

    def __init__(self, gateway: Gateway, viewers: dict[str, Tenant], pool: Pool) -> None:
        self.gateway = gateway
        self.viewers = viewers
        self.pool = pool
        services = gateway.services
        self.reader = open_reader(services.store)
        self.planner = Planner(gateway.schema.documents, services, self.reader)


@pytest.fixture(scope="module")
async def cast(databases: Databases) -> AsyncGenerator[Cast]:
    async with start_gateway(settings_for(databases.fresh())) as gateway:
        world = await make_world(gateway, "pending", name=ODD_NAMES[0], tags=["ünï", 'q"', "\\"])
        await _fill(gateway, world)
        cast = Cast(gateway, _viewers(gateway, world), await _pool(world))
        yield cast
        await cast.reader.close()


async def _fill(gateway: Gateway, world: World) -> None:
    for number, name in enumerate(ODD_NAMES):
        image = await world.owner.register(
            name=name, externalId=name, sizeBytes=number or None, osType="LINUX", hidden=number == 1
        )
        await world.owner.offer(image, world.consumer.id, world.other.id)
        await (world.consumer.accept if number % 2 else world.consumer.reject)(image)
        visibility = ["SHARED", "SHARED", "COMMUNITY", "PRIVATE", "PUBLIC"][number]
        changer = gateway.tenant(world.owner.id, "admin", "operator")
        await changer.update(image, visibility=visibility)
    theirs = await world.consumer.register(origin="SNAPSHOT", sourceUrl=None, serverId="srv", checksum="md5:1")
    await world.consumer.offer(theirs, world.owner.id)


def _viewers(gateway: Gateway, world: World) -> dict[str, Tenant]:
    observer = gateway.tenant(world.owner.id, "observer")
    both = gateway.tenant(world.owner.id, "admin", "operator")
    seen = {name: world.caller(name) for name in VIEWERS[:5]}
    return {**seen, "observer": observer, "owner and operator": both, "anonymous": gateway.anonymous}


async def _pool(world: World) -> Pool:
    answer = await world.owner.get(CURSORS)
    log = await world.owner.get("{ offerEvents { nodes { cursor } } sentOffers { watchCursor } }")
    places = [node["cursor"] for node in log["offerEvents"]["nodes"]] + [log["sentOffers"]["watchCursor"]] * 20
    cursors = [edge["cursor"] for page in answer.values() for edge in page["edges"]]
    members = (await world.owner.get("{ sentOffers { nodes { id image { id } } } }"))["sentOffers"]["nodes"]
    ids = [member["id"] for member in members] + [member["image"]["id"] for member in members]
    tenants = [world.owner.id, world.consumer.id, world.other.id, "404"]
    return Pool([*ids, *tenants, "nonsense", "\0", ""], tenants, [*ODD_NAMES, "ubuntu"], [*cursors, "nonsense"], places)


async def both_ways(cast: Cast, viewer: Tenant, query: Query) -> tuple[Any, Any, bool]:
    """The short answer, the long one, and whether the long one has errors."""
    short = await cast.planner.answer(query.text, "Q", query.variables, viewer.caller)
    long = await viewer.execute(query.text, **query.variables)
    return None if short is None else _ordered(json.loads(short)), _ordered(long.data), bool(long.errors)


def _ordered(value: Any) -> Any:
    """Objects as lists of pairs, so that their order counts; what is sealed anew each time is blanked."""
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
async def test_the_short_way_answers_as_the_long_one_does(cast: Cast, viewer: str, query: Query) -> None:
    await _compare(cast, viewer, query)


@pytest.mark.long
@settings(MANY, max_examples=1_000)
@DRAWN
async def test_the_short_way_answers_a_thousand_queries_as_the_long_one_does(
    cast: Cast, viewer: str, query: Query
) -> None:
    await _compare(cast, viewer, query)


async def _compare(cast: Cast, viewer: str, query: Query) -> None:
    short, long, has_errors = await both_ways(cast, cast.viewers[viewer], query.fill(cast.pool))

    if short is not None:
        assert not has_errors
        assert short == long


@pytest.mark.slow
async def test_most_queries_that_are_no_refusals_went_the_short_way(cast: Cast) -> None:
    """Otherwise the test above would compare little."""
    by_request = sum(count for reason, count in cast.planner.fallbacks.items() if reason in ("refused", "anonymous"))
    long_ways = cast.planner.fallbacks.total() - by_request

    assert cast.planner.answered > 3 * long_ways
