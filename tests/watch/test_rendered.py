"""A watch sends the same bytes whether its items are rendered or executed by graphql-core."""

from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest
from graphql import parse
from hypothesis import HealthCheck, given, settings

from app.api.operation.context import Context
from app.api.plan.rendering import Roots
from app.api.watch.operation import WatchOperation
from app.api.watch.payload_cache import Payloads
from app.documents.unplanned import Unplanned
from tests.harness import operations
from tests.harness.api_objects import Case, ContextStub, cases
from tests.harness.gateway import Gateway, Tenant
from tests.harness.queries import CORE
from tests.harness.scenario import make_scenario
from tests.plan.test_rendering import WATCHES, coerced, roots_of

AT_HAND = """subscription Q($after: Cursor, $wanted: Boolean! = true) { told: watchOffers(after: $after) {
  ...Place ... on MemberStatusChanged { occurredAt kind previousStatus status @include(if: $wanted) actor { id } }
} } fragment Place on WatchItem { __typename cursor }"""


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(case=cases(WATCHES))
async def test_each_payload_has_the_bytes_of_graphql_core(case: Case) -> None:
    around: Any = ContextStub()
    operation = WatchOperation(CORE, parse(case.query.text), case.query.variables, "Q")

    executed = await operation.execute(case.value, around)
    operation.root = roots_of(case.query.text).root(coerced(case.query).coerced)

    assert await operation.execute(case.value, around) == executed


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The items that graphql-core executes."""
    begin, begun = WatchOperation._begin, list[Any]()

    def counted(self: WatchOperation, item: Any, context: Any) -> Any:
        begun.append(item)
        return begin(self, item, context)

    monkeypatch.setattr(WatchOperation, "_begin", counted)
    return begun


async def items_of(
    gateway: Gateway, tenant: Tenant, number: int, query: str = AT_HAND, **variables: Any
) -> list[bytes]:
    """The first payloads of a watch from the beginning of the log, as bytes."""
    assert tenant.caller is not None
    context = Context(gateway.services, tenant.caller, "test")
    after = gateway.services.feed.seal.close_between(0, tenant.caller)
    async with AsyncExitStack() as held:
        held.push_async_callback(context.close)
        run = gateway.schema.streams.run(query, {"after": after, **variables}, None, context)
        payloads = await held.enter_async_context(aclosing(run))
        return [await anext(payloads) for _ in range(number)]


@pytest.mark.parametrize("wanted", [{}, {"wanted": False}])
async def test_a_watch_of_loaded_fields_is_rendered_with_the_same_bytes(
    gateway: Gateway, executions: list[Any], monkeypatch: pytest.MonkeyPatch, wanted: Any
) -> None:
    scenario = await make_scenario(gateway, "accepted")

    rendered = await items_of(gateway, scenario.owner, 4, **wanted)
    assert executions == []
    monkeypatch.setattr(Roots, "root", _unplanned)
    gateway.schema.streams.payloads = Payloads()
    executed = await items_of(gateway, scenario.owner, 4, **wanted)

    assert (rendered, len(executions)) == (executed, 4)


def _unplanned(*_: Any) -> Any:
    raise Unplanned("left to GraphQL")


async def test_a_watch_that_reads_current_state_is_executed(gateway: Gateway, executions: list[Any]) -> None:
    scenario = await make_scenario(gateway, "accepted")

    assert len(await items_of(gateway, scenario.owner, 4, operations.WATCH)) == len(executions) == 4
