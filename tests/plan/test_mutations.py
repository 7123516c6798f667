"""Planned mutations: each is executed once, and returns what graphql-core returns, whatever the outcome."""

import json
from typing import Any

import orjson
import pytest

from app.api.operation import faults
from app.api.operation.context import Context
from app.api.plan.planner import Planner
from app.api.schema import build_schema
from app.api.types import mutations
from app.documents.unplanned import ExecutedWithErrors
from app.errors import CursorInvalid, Unavailable, UserErrorCode
from app.sharing import service
from app.store.plan.reader import open_reader
from tests.harness.databases import Databases
from tests.harness.event_log import member_changes_after
from tests.harness.gateway import Gateway, Tenant, settings_for, start_gateway
from tests.harness.mutation_recording import ACCEPT, DOCUMENTS, FAILURES, Recording, record_answers, run_every_mutation
from tests.harness.scenario import Scenario, make_scenario


class Ways:
    """Execution with a plan and with graphql-core on one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.planner = Planner(gateway.schema.documents, gateway.services, open_reader(gateway.services.store))

    async def short(self, tenant: Tenant, mutation: str, input: dict[str, Any]) -> bytes:
        answer = await self.planner.answer(DOCUMENTS[mutation], "Q", {"input": input}, tenant.caller, "test")
        assert answer is not None, self.planner.fallbacks
        return answer

    async def long(self, tenant: Tenant, mutation: str, input: dict[str, Any]) -> bytes:
        return orjson.dumps(await tenant.get(DOCUMENTS[mutation], input=input))

    async def failed(self, tenant: Tenant, document: str, **variables: Any) -> Any:
        """The data and the errors of a planned mutation that fails."""
        with pytest.raises(ExecutedWithErrors) as failed:
            await self.planner.answer(document, "Q", variables, tenant.caller, "test")
        errors = faults.format_errors(faults.client_errors(failed.value.result, "test"))
        return failed.value.result.data, errors


@pytest.fixture
async def ways(gateway: Gateway) -> Ways:
    return Ways(gateway)


async def test_every_mutation_and_every_refusal_has_the_same_response_both_ways(databases: Databases) -> None:
    recorded: list[list[tuple[str, bytes]]] = []
    for way in ("long", "short"):
        async with start_gateway(settings_for(databases.fresh(), member_quota=2)) as gateway:
            story = Recording(getattr(Ways(gateway), way))
            await run_every_mutation(gateway, story)
            recorded.append(story.responses)

    for long, short in zip(*recorded, strict=True):
        assert short == long
    assert _refusals(recorded[0]) == _POSSIBLE


def _refusals(recorded: list[tuple[str, bytes]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for mutation, answer in recorded:
        payload = json.loads(answer)[mutation]
        found.setdefault(mutation, set()).update(error["code"] for error in payload["errors"])
        if not payload["errors"]:
            found[mutation].add("ok")
    return found


_ALWAYS = {"ok", "NOT_FOUND", "FORBIDDEN", "BAD_USER_INPUT"}
_POSSIBLE = {
    "registerImage": _ALWAYS - {"NOT_FOUND"},
    "updateImage": _ALWAYS | {"CONFLICT"},
    "deleteImage": _ALWAYS,
    "offerImage": {"ok", *UserErrorCode},
    "acceptOffer": _ALWAYS,
    "rejectOffer": _ALWAYS,
    "deferOffer": _ALWAYS,
    "revokeMember": _ALWAYS,
}


@pytest.mark.parametrize(
    "fault",
    [Unavailable("Not now."), RuntimeError("a secret"), ValueError("a secret"), CursorInvalid("No."), KeyError("x")],
    ids=lambda fault: type(fault).__name__,
)
async def test_an_exception_of_an_action_has_the_same_response_both_ways(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    async def fails(*_: Any) -> Any:
        raise fault

    monkeypatch.setattr(service, "answer_offer", fails)
    tenant, input = ways.gateway.tenant("2"), {"imageId": "5"}

    short = await ways.failed(tenant, ACCEPT, input=input)
    long = await tenant.execute(ACCEPT, input=input)

    assert short == (long.data, long.errors)
    assert long.errors[0]["path"] == ["done"]


@pytest.mark.parametrize("spoilt", [{"status": None}, {"status": "MELTED"}, {"id": None}, {"id": object()}])
async def test_an_outcome_that_cannot_be_rendered_has_the_same_response_both_ways(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, spoilt: dict[str, Any]
) -> None:
    scenario = await make_scenario(ways.gateway, "pending")
    show = mutations._member

    def spoiling(outcome: Any) -> Any:
        member = show(outcome)
        vars(member).update(spoilt)
        return member

    monkeypatch.setattr(mutations, "_member", spoiling)
    input = {"imageId": scenario.image}

    short = await ways.failed(scenario.consumer, ACCEPT, input=input)
    long = await scenario.consumer.execute(ACCEPT, input=input)

    assert short == (long.data, long.errors)
    assert (short[0]["done"]["member"], len(short[1])) == (None, 1)


@pytest.mark.parametrize("ended", FAILURES, ids=lambda ended: type(ended).__name__)
async def test_a_mutation_is_executed_once_whatever_fails_after_it(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, ended: Exception | None
) -> None:
    calls = record_answers(monkeypatch, ended)
    scenario = await make_scenario(ways.gateway, "pending")
    before = len(await member_changes_after(ways.gateway.services.store, 0))

    if ended is None:
        await ways.short(scenario.consumer, "acceptOffer", {"imageId": scenario.image})
    else:
        await ways.failed(scenario.consumer, ACCEPT, input={"imageId": scenario.image})

    assert calls == [scenario.image, scenario.image]
    assert len(await member_changes_after(ways.gateway.services.store, 0)) == before + 1


@pytest.mark.parametrize(
    ("document", "variables", "reason"),
    [
        (ACCEPT, {}, "refused"),
        (ACCEPT, {"input": {}}, "refused"),
        (ACCEPT, {"input": {"imageId": "5", "nope": 1}}, "refused"),
        (ACCEPT, {"input": {"imageId": {}}}, "refused"),
        (ACCEPT.replace("status }", "status } nope"), {"input": {"imageId": "5"}}, "refused"),
        (f"{ACCEPT[:-1]} again: acceptOffer(input: $input) {{ member {{ id }} }} }}", {"input": {}}, "refused"),
        (ACCEPT.replace("status }", "status image { members { totalCount } } }"), None, "Image.members"),
    ],
)
async def test_invalid_operations_are_refused_before_anything_is_executed(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, document: str, variables: Any, reason: str
) -> None:
    calls = record_answers(monkeypatch, None)
    arguments = {"input": {"imageId": "5"}} if variables is None else variables

    assert await ways.planner.answer(document, "Q", arguments, ways.gateway.tenant("2").caller, "test") is None
    assert (ways.planner.fallbacks, calls) == ({reason: 1}, [])


async def test_too_many_consumers_are_refused_after_fewer_were_accepted(databases: Databases) -> None:
    settings = settings_for(databases.fresh(), max_cost=60)
    async with start_gateway(settings) as gateway:
        planner = Ways(Gateway(gateway.services, build_schema(settings))).planner
        offer = "mutation Q($input: OfferImageInput!) { offerImage(input: $input) { members { id status } } }"
        few, many = ({"input": {"imageId": "5", "tenantIds": ["5"] * size}} for size in (2, 90))
        caller = gateway.tenant("1").caller

        assert await planner.answer(offer, "Q", few, caller, "test") is not None
        assert await planner.answer(offer, "Q", many, caller, "test") is None
        assert planner.fallbacks == {"refused": 1}


async def test_without_permission_nothing_is_executed(ways: Ways) -> None:
    scenario: Scenario = await make_scenario(ways.gateway, "pending")

    assert (
        await ways.planner.answer(ACCEPT, "Q", {"input": {"imageId": scenario.image}}, scenario.consumer.caller) is None
    )
    assert ways.planner.fallbacks == {"mutation": 1}


async def test_the_snapshot_of_the_store_is_released_after_each_call(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    close = Context.close

    async def noting(self: Context) -> None:
        closed.append(self.request_id)
        await close(self)

    monkeypatch.setattr(Context, "close", noting)
    caller = ways.gateway.tenant("2").caller

    await ways.planner.answer(ACCEPT, "Q", {"input": {"imageId": "5"}}, caller, "test")
    await ways.planner.answer("{ offerEvents { nodes { kind } } }", None, {}, caller)
    await ways.planner.answer('{ offerEvents(after: "x") { nodes { kind } } }', None, {}, caller)

    assert closed == ["test", "", ""]
