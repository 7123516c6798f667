"""The arithmetic of budgets, with a clock that only the test advances."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from app.api.schema import build_schema
from app.documents.price import REFUSED, Prices
from app.model import Caller, Role
from app.settings import Settings
from app.web.limits.bucket import Buckets
from app.web.limits.budget import MAX_DEBT_SECONDS, Budget
from app.web.limits.budgets import BAD_TOKEN_COST, Budgets, network
from tests.harness.operations import WATCH as WATCH_OFFERS

pytestmark = pytest.mark.usefixtures("reading_is_free")

VIEWER = "{ viewer { id } }"
EXPENSIVE = "{ images(first: 100) { nodes { id } } }"
PRICES = Prices(build_schema(Settings()).documents)
CALLER = Caller("1", frozenset({Role.ADMIN}), datetime(2100, 1, 1, tzinfo=UTC))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def budget(clock: Clock, rate: int = 10, capacity: int = 300) -> Budget:
    return Budget("tenant", rate, capacity, PRICES, clock)


def test_a_spent_budget_refills_with_time(clock: Clock) -> None:
    of_tenants = budget(clock)

    assert of_tenants.charge("1", EXPENSIVE, None, None).remaining == 300 - 201
    refused = of_tenants.charge("1", EXPENSIVE, None, None)
    assert (refused.cost, refused.remaining, refused.retry_after) == (201, 99, 11)
    clock.now += refused.retry_after
    assert of_tenants.charge("1", EXPENSIVE, None, None).retry_after == 0


def test_a_refusal_charges_nothing(clock: Clock) -> None:
    of_tenants = budget(clock)
    of_tenants.charge("1", EXPENSIVE, None, None)
    for _ in range(5):
        assert of_tenants.charge("1", EXPENSIVE, None, None).retry_after

    assert of_tenants.charge("1", VIEWER, None, None).remaining == 97


def test_refused_documents_are_charged_for_parsing_until_the_budget_is_empty(clock: Clock) -> None:
    of_tenants = budget(clock)
    of_tenants.charge("1", EXPENSIVE, None, None)
    left = [of_tenants.charge("1", f"{EXPENSIVE} # {number}", None, None).remaining for number in range(5)]

    assert left == [99, *[99 - REFUSED] * 4], "the first is free, so that the answer tells what there was"


def test_the_remaining_budget_reveals_nothing_about_others(clock: Clock) -> None:
    of_tenants = budget(clock)
    of_tenants.charge("2", asked := f"{EXPENSIVE} # by the other one", None, None)
    for tenant in ("1", "3"):
        for refused in (EXPENSIVE, EXPENSIVE, f"{EXPENSIVE} # {tenant}"):
            of_tenants.charge(tenant, refused, None, None)
        of_tenants.buckets.get(tenant).level = 99

    known = of_tenants.charge("1", asked, None, None)
    strange = of_tenants.charge("3", f"{EXPENSIVE} # by nobody else", None, None)
    assert (known.remaining, known.retry_after) == (strange.remaining, strange.retry_after)


def test_no_bucket_exceeds_its_capacity(clock: Clock) -> None:
    of_tenants = budget(clock)
    of_tenants.charge("1", VIEWER, None, None)
    clock.now += 29  # too short for the bucket to be dropped

    assert of_tenants.charge("1", VIEWER, None, None).remaining == 298


def test_callers_have_separate_budgets(clock: Clock) -> None:
    of_tenants = budget(clock)
    while not of_tenants.charge("1", VIEWER, None, None).retry_after:
        pass

    assert of_tenants.charge("2", VIEWER, None, None).remaining == 298


def test_an_operation_that_costs_more_than_the_capacity_takes_a_full_budget(clock: Clock) -> None:
    of_tenants = budget(clock, capacity=150)

    assert of_tenants.charge("1", EXPENSIVE, None, None).remaining == 0


def test_a_caller_with_an_empty_budget_is_refused_before_parsing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    of_tenants = budget(clock, capacity=150)
    of_tenants.charge("1", EXPENSIVE, None, None)
    monkeypatch.setattr(Prices, "of", None)

    assert of_tenants.charge("1", "{" * 1_000, None, None).retry_after == 1


def test_a_watch_borrows_what_it_lacks_and_starts_once_that_is_earned(clock: Clock) -> None:
    of_tenants = budget(clock, rate=100, capacity=300)
    while not (last := of_tenants.charge("1", WATCH_OFFERS, None, None, may_owe=True)).retry_after:
        pass

    assert last.remaining - last.cost < -MAX_DEBT_SECONDS * 100 <= last.remaining
    clock.now += 5
    lent = of_tenants.charge("1", WATCH_OFFERS, None, None, may_owe=True)
    assert lent.delay == pytest.approx(-lent.remaining / 100)
    assert 0 < lent.delay <= MAX_DEBT_SECONDS


def test_only_a_watch_may_borrow(clock: Clock) -> None:
    of_tenants = budget(clock)
    of_tenants.charge("1", EXPENSIVE, None, None)

    refused = of_tenants.charge("1", EXPENSIVE + " # subscription", None, None, may_owe=True)
    assert (refused.remaining, bool(refused.retry_after)) == (99, True)
    assert of_tenants.charge("1", WATCH_OFFERS, None, None).retry_after


def test_a_document_parsed_on_credit_that_is_not_a_watch_is_charged(clock: Clock) -> None:
    of_tenants = budget(clock, rate=30)
    for _ in range(2):
        of_tenants.charge("1", EXPENSIVE, None, None)
        of_tenants.charge_flat("1", 99)
    texts = [f"{{ subscription{n} }}" for n in range(9)]

    left = [of_tenants.charge("1", text, None, None, may_owe=True).remaining for text in texts]

    assert left[0] == -REFUSED
    assert all(later <= earlier for earlier, later in pairwise(left))
    assert left[-1] >= -MAX_DEBT_SECONDS * 30 - REFUSED


def test_idle_buckets_are_dropped_and_active_ones_are_kept(clock: Clock) -> None:
    buckets = Buckets(10, 300, clock)
    buckets.get("stays").level = 0
    for number in range(1_000):
        buckets.get(f"goes {number}")
    for _ in range(7):
        clock.now += 10
        buckets.get("stays").level = 5

    assert len(buckets) == 1
    assert buckets.get("stays").level == 5


def test_a_bucket_that_is_not_full_is_not_dropped(clock: Clock) -> None:
    buckets = Buckets(10, 300, clock)
    buckets.get("1").level = 0
    clock.now += 29
    buckets.get("2")

    assert buckets.get("1").level == 290


def test_the_number_of_buckets_is_limited(clock: Clock) -> None:
    buckets = Buckets(10, 300, clock, max_remembered=100)
    for number in range(10_000):
        buckets.get(str(number)).level = 0

    assert len(buckets) <= 100
    assert buckets.get("9999").level == 0


def test_bad_tokens_are_charged_to_the_address_and_never_to_a_tenant(clock: Clock) -> None:
    settings = Settings(
        rate_per_tenant=10, burst_per_tenant=50, rate_per_address=1, burst_per_address=2 * BAD_TOKEN_COST
    )
    budgets = Budgets(settings, PRICES, clock)

    charges = [budgets.charge_bad_token("192.0.2.1") for _ in range(3)]
    assert [charge and bool(charge.retry_after) for charge in charges] == [False, False, True]
    of_tenant = budgets.charge(CALLER, "192.0.2.1", VIEWER, None, None)
    assert of_tenant is not None
    assert (of_tenant.budget.owner, of_tenant.remaining) == ("tenant", 48)
    anonymous = budgets.charge(None, "192.0.2.1", VIEWER, None, None)
    assert anonymous is not None
    assert anonymous.retry_after


def test_either_budget_can_be_disabled(clock: Clock) -> None:
    only_addresses = Budgets(Settings(rate_per_address=1), PRICES, clock)

    assert only_addresses.charge(CALLER, "192.0.2.1", VIEWER, None, None) is None
    assert only_addresses.charge(None, "192.0.2.1", VIEWER, None, None) is not None


@pytest.mark.parametrize(
    ("address", "owned"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_one_network_of_ipv6_is_one_client(address: str, owned: str) -> None:
    assert network(address) == owned


def test_the_headers_are_those_of_the_draft(clock: Clock) -> None:
    of_tenants = budget(clock)
    granted, refused = of_tenants.charge("1", EXPENSIVE, None, None), of_tenants.charge("1", EXPENSIVE, None, None)

    assert of_tenants.policy == '"tenant";q=300;w=30'
    assert granted.rate_limit() == '"tenant";r=99;t=21'
    assert refused.rate_limit() == f'"tenant";r=99;t={refused.retry_after}', "no longer than Retry-After"
