"""Parsing a new document is charged once, in addition to its cost, and a refusal says when a retry will succeed."""

import gc

import pytest

from app.api.schema import build_schema
from app.documents import price
from app.documents.bounded_cache import count_tokens
from app.documents.price import REFUSED, Prices
from app.settings import Settings
from app.web.limits.budget import Budget
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import run_in_process
from tests.harness.raw_clients import post

VIEWER, COST_OF_VIEWER = "{ viewer { id } }", 2
EXPENSIVE, COST_OF_EXPENSIVE = "{ images(first: 100) { nodes { id } } }", 201
RATE = 10
SCHEMA = build_schema(Settings())


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(price, "thread_time", lambda: 0.0)
    return Clock()


def _budget(clock: Clock, capacity: int, level: float | None = None) -> Budget:
    """A budget for which every document is new, with this balance of one caller."""
    budget = Budget("tenant", RATE, capacity, Prices(SCHEMA.documents), clock)
    budget.buckets.get("1").level = capacity if level is None else level
    return budget


def test_a_document_is_charged_for_its_tokens_once(clock: Clock) -> None:
    budget = _budget(clock, capacity=300)
    left = [budget.charge("1", VIEWER, None, None).remaining for _ in range(3)]

    assert left == [300 - count_tokens(VIEWER) - COST_OF_VIEWER * times for times in (1, 2, 3)]


def test_a_rate_limited_request_is_charged_for_its_tokens_once_and_nothing_else(clock: Clock) -> None:
    budget = _budget(clock, capacity=300, level=100)
    left = [budget.charge("1", EXPENSIVE, None, None).remaining for _ in range(3)]

    assert left == [100 - count_tokens(EXPENSIVE)] * 3


def test_a_caller_who_spent_the_last_units_on_parsing_is_not_charged_for_the_refusal(clock: Clock) -> None:
    charge = _budget(clock, capacity=300, level=5).charge("1", VIEWER, None, None)

    assert charge.retry_after
    assert charge.remaining == 5 - count_tokens(VIEWER) > -REFUSED


def test_a_new_document_that_costs_more_than_the_capacity_runs_on_a_full_budget(clock: Clock) -> None:
    charge = _budget(clock, capacity=150).charge("1", EXPENSIVE, None, None)

    assert (charge.retry_after, charge.remaining) == (0, 0)


@pytest.mark.parametrize("capacity", [150, COST_OF_EXPENSIVE, 300])
def test_a_refused_document_runs_after_the_seconds_in_the_refusal(clock: Clock, capacity: int) -> None:
    budget = _budget(clock, capacity, level=140)
    refused = budget.charge("1", EXPENSIVE, None, None)
    clock.now += refused.retry_after
    again = budget.charge("1", EXPENSIVE, None, None)

    assert refused.retry_after
    assert refused.cost == min(capacity, COST_OF_EXPENSIVE)
    assert (again.retry_after, again.cost) == (0, refused.cost)


def test_a_refund_excludes_the_charge_for_parsing(clock: Clock) -> None:
    budget = _budget(clock, capacity=300)
    charge = budget.charge("1", VIEWER, None, None)
    budget.refund("1", charge)

    assert charge.remaining == 300 - count_tokens(VIEWER)


async def test_a_repeated_request_costs_the_same_after_parsing_emptied_the_budget(
    databases: Databases,
) -> None:
    async with run_in_process(settings_for(databases.fresh(), rate_per_tenant=1, burst_per_tenant=1)) as server:
        assert server.budgets is not None
        assert server.budgets.tenants is not None
        buckets = server.budgets.tenants.buckets
        now = buckets.clock()
        buckets.clock = lambda: now
        statuses = [(await post(server, "{ viewer { id } }")).status]
        for _ in range(3):
            buckets.get("1").level = 1
            statuses += [(await post(server, "{ viewer { id } }")).status for _ in range(2)]

    assert statuses == [200, *[200, 429] * 3]


def test_garbage_collection_is_charged_to_nobody() -> None:
    reading, collected = price.ReadingCost("{ a }"), list[str]()
    gc.collect()
    gc.callbacks.append(note := lambda phase, _: collected.append(phase))
    try:
        with reading.measure():
            for _ in range(20):
                _ = [[] for _ in range(gc.get_threshold()[0])]
            meanwhile = tuple(collected)
    finally:
        gc.callbacks.remove(note)

    assert meanwhile == ()
    assert gc.isenabled()
