"""Budgets over every transport, which all charge the same."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from app.documents.price import REFUSED, WATCH, WRITE
from app.web.limits.budgets import BAD_TOKEN_COST, UNKNOWN_DOCUMENT_COST, Budgets
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import InProcessServer, run_in_process
from tests.harness.scenario import fresh_id
from tests.harness.transports import TRANSPORTS, send_over, send_parameters_over

pytestmark = pytest.mark.usefixtures("reading_is_free")

BRIM = 1_000
PAGE = "query($n: Int) { images(first: $n) { nodes { id name } } }"
INTROSPECTION = "{ __schema { queryType { name } } }"
OFFER = "mutation($o: OfferImageInput!) { offerImage(input: $o) { members { id } errors { code } } }"
OFFERED = {"o": {"imageId": "1", "tenantIds": ["2", "3"]}}


@pytest.fixture(scope="module")
async def served(databases: Databases) -> AsyncGenerator[InProcessServer]:
    rates: dict[str, Any] = {"rate_per_tenant": 1, "rate_per_address": 1}
    settings = settings_for(databases.fresh(), **rates, burst_per_tenant=BRIM, burst_per_address=BRIM)
    async with run_in_process(settings) as served:
        for budget in _budgets(served).limited:
            now = budget.buckets.clock()
            budget.buckets.clock = lambda now=now: now  # nothing refills during a test
            budget.unsettled = None  # and what a test sets remains
        yield served


@pytest.fixture
def server(served: InProcessServer) -> InProcessServer:
    """The server with a full budget for the address, which all tests share."""
    _of_address(served).level = BRIM
    return served


def _budgets(server: InProcessServer) -> Budgets:
    assert server.budgets is not None
    return server.budgets


def _of_address(server: InProcessServer) -> Any:
    addresses = _budgets(server).addresses
    assert addresses is not None
    return addresses.buckets.get("127.0.0.1")


def _of_tenant(server: InProcessServer, tenant_id: str) -> Any:
    tenants = _budgets(server).tenants
    assert tenants is not None
    return tenants.buckets.get(tenant_id)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("query", "variables", "cost"),
    [
        (PAGE, {"n": 10}, 31),
        (INTROSPECTION, {}, 3),
        (OFFER, OFFERED, 1 + 2 * 4 + 2 * WRITE),
        ("{ nothing }", {}, REFUSED),
        ("{", {}, REFUSED),
    ],
    ids=["planned", "field by field", "mutation", "not valid", "not parsed"],
)
async def test_every_transport_charges_the_same(
    server: InProcessServer, transport: str, query: str, variables: dict[str, Any], cost: int
) -> None:
    tenant, left = fresh_id(), BRIM - 2 * cost

    await send_over(server, transport, query, server.token_of(tenant), **variables)
    reply = await send_over(server, transport, query, server.token_of(tenant), **variables)

    assert _of_tenant(server, tenant).level == left
    if reply.kind == "next" and reply.status == 200:
        level = {"maximumAvailable": BRIM, "currentlyAvailable": left, "restoreRate": 1}
        assert reply.cost == {"requestedQueryCost": cost, "throttleStatus": level}
    if reply.headers is not None:
        assert reply.headers["ratelimit-policy"] == f'"tenant";q={BRIM};w={BRIM}'
        assert reply.headers["ratelimit"] == f'"tenant";r={left};t={2 * cost}'


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_caller_with_an_empty_budget_is_told_when_to_retry(server: InProcessServer, transport: str) -> None:
    tenant = fresh_id()
    _of_tenant(server, tenant).level = 30

    reply = await send_over(server, transport, PAGE, server.token_of(tenant), n=10)

    assert reply.code == "RATE_LIMITED"
    assert reply.body["errors"][0]["extensions"]["retryAfter"] == 1
    assert "31" in reply.body["errors"][0]["message"]
    if reply.headers is None:
        assert reply.kind == "error"
    else:
        assert (reply.status, reply.headers["retry-after"]) == (429, "1")
        assert reply.headers["ratelimit"] == '"tenant";r=30;t=1'
        assert reply.body["errors"][0]["extensions"]["requestId"] == reply.headers["x-request-id"]
    assert _of_tenant(server, tenant).level == 30


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_requests_without_a_token_are_charged_to_the_address(server: InProcessServer, transport: str) -> None:
    reply = await send_over(server, transport, INTROSPECTION)

    assert _of_address(server).level == BRIM - 3
    assert reply.cost["throttleStatus"]["currentlyAvailable"] == BRIM - 3
    _of_address(server).level = 2
    assert (await send_over(server, transport, INTROSPECTION)).code == "RATE_LIMITED"


@pytest.mark.parametrize("transport", ["lane", "endpoint", "get"])
async def test_a_bad_token_is_charged_to_the_address_and_finally_not_even_verified(
    server: InProcessServer, transport: str
) -> None:
    first = await send_over(server, transport, PAGE, "nonsense")
    assert (first.status, _of_address(server).level) == (401, BRIM - BAD_TOKEN_COST)
    _of_address(server).level = BAD_TOKEN_COST - 1

    second = await send_over(server, transport, PAGE, "nonsense")

    assert (second.status, second.code, second.headers["retry-after"]) == (429, "RATE_LIMITED", "1")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_tenant_learns_nothing_about_others_behind_its_address(server: InProcessServer, transport: str) -> None:
    tenant, other = fresh_id(), fresh_id()
    _of_address(server).level = 0
    _of_tenant(server, other).level = 0

    reply = await send_over(server, transport, PAGE, server.token_of(tenant), n=10)

    assert reply.cost["throttleStatus"]["currentlyAvailable"] == BRIM - 31
    assert (await send_over(server, transport, PAGE, server.token_of(other), n=10)).code == "RATE_LIMITED"
    assert _of_address(server).level == 0


async def test_a_refused_mutation_is_not_executed(server: InProcessServer) -> None:
    tenant = fresh_id()
    image = await server.gateway.tenant(tenant).register()
    _of_tenant(server, tenant).level = 5

    for transport in ("lane", "endpoint", "websocket"):
        offered = {"imageId": image, "tenantIds": ["2"]}
        assert (await send_over(server, transport, OFFER, server.token_of(tenant), o=offered)).code == "RATE_LIMITED"

    outbox = await server.gateway.tenant(tenant).get("{ sentOffers { totalCount } }")
    assert outbox["sentOffers"]["totalCount"] == 0


async def test_aliases_cost_as_much_as_separate_requests(server: InProcessServer) -> None:
    one_by_one, at_once = fresh_id(), fresh_id()
    offer = 'offerImage(input: {imageId: "1", tenantIds: ["2"]}) { errors { code } }'
    aliases = " ".join(f"a{number}: {offer}" for number in range(30))

    for _ in range(30):
        await send_over(server, "lane", f"mutation {{ {offer} }}", server.token_of(one_by_one))
    reply = await send_over(server, "lane", f"mutation {{ {aliases} }}", server.token_of(at_once))

    assert "errors" not in reply.body
    assert _of_tenant(server, one_by_one).level == _of_tenant(server, at_once).level < BRIM - 30 * WRITE


async def test_the_start_of_a_watch_is_charged_over_sse_too(server: InProcessServer) -> None:
    tenant = fresh_id()
    _of_tenant(server, tenant).level = WATCH - 10  # a watch may borrow ten seconds, and lacks two more than that

    reply = await send_over(server, "events", "subscription { watchOffers { cursor } }", server.token_of(tenant))

    assert (reply.status, reply.code, reply.headers["retry-after"]) == (429, "RATE_LIMITED", "12")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_disabled_budgets_leave_no_trace_in_responses(databases: Databases, transport: str) -> None:
    async with run_in_process(settings_for(databases.fresh())) as plain:
        reply = await send_over(plain, transport, PAGE, plain.token, n=3)

    assert reply.body == {"data": {"images": {"nodes": []}}}
    assert not [name for name in reply.headers or () if "ratelimit" in name.lower()]


MISNAMED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"documentId": "f" * 64}, "PERSISTED_QUERY_NOT_FOUND"),
    "no string": ({"documentId": 5}, "BAD_REQUEST"),
    "unknown version": ({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "f" * 64}}}, "BAD_REQUEST"),
    "two names": (
        {"documentId": "e" * 64, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "f" * 64}}},
        "BAD_REQUEST",
    ),
    "another text": ({"query": "{ __typename }", "documentId": "f" * 64}, "BAD_REQUEST"),
}


@pytest.mark.parametrize("transport", ["lane", "endpoint", "events", "websocket"])
@pytest.mark.parametrize("name", MISNAMED)
async def test_an_unknown_hash_costs_the_same_on_every_transport(
    server: InProcessServer, name: str, transport: str
) -> None:
    tenant, (sent, code) = fresh_id(), MISNAMED[name]
    _of_tenant(server, tenant).level = UNKNOWN_DOCUMENT_COST

    first, second = [await send_parameters_over(server, transport, sent, server.token_of(tenant)) for _ in range(2)]

    assert (first.code, second.code) == (code, "RATE_LIMITED")
    if first.headers is not None:
        assert first.headers["ratelimit"] == f'"tenant";r=0;t={BRIM}'
        assert (second.status, second.headers["retry-after"]) == (429, str(UNKNOWN_DOCUMENT_COST))
