"""A root field repeated under several aliases is read once, with and without a plan."""

import json
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
import pytest

from app.api.plan.planner import BoundQuery, Planner
from app.store.plan.reader import open_reader
from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, Tenant, settings_for, start_gateway
from tests.harness.scenario import Scenario, make_scenario
from tests.harness.statement_work import Sent, record_reads, vacuum, work_of
from tests.harness.statements import record_statements

TIMES = 12
IMAGES = ("unknown", "private", "shared to others", "revoked", "shared to me", "own")
FIELDS = {
    "image": "image(id: @) { id name owner { id } }",
    "node": "node(id: @) { id ... on Image { name } ... on Member { status } }",
    "nodes": "nodes(ids: @) { id ... on Image { name } ... on Member { status } }",
}
SPELLINGS = ("literals", "variables")


class PlanRunner(NamedTuple):
    gateway: Gateway
    planner: Planner
    viewer: Tenant
    images: dict[str, str]

    def ready(self, document: str, variables: dict[str, Any]) -> BoundQuery:
        assert self.viewer.caller is not None
        ready = self.planner.bind(document, None, variables, self.viewer.caller)
        assert ready is not None
        return ready


@pytest.fixture(scope="module")
async def populated(databases: Databases) -> AsyncGenerator[PlanRunner]:
    async with start_gateway(settings_for(databases.fresh())) as gateway:
        reader = open_reader(gateway.services.store)
        shared = await make_scenario(gateway, "accepted")
        images = await _images(gateway, shared)
        await vacuum(gateway.services.store)
        yield PlanRunner(gateway, Planner(gateway.schema.documents, gateway.services, reader), shared.consumer, images)
        await reader.close()


async def _images(gateway: Gateway, shared: Scenario) -> dict[str, str]:
    foreign, revoked = await make_scenario(gateway, "none"), await make_scenario(gateway, "none")
    await revoked.owner.offer(revoked.image, shared.consumer.id)
    await revoked.owner.revoke(revoked.image, shared.consumer.id)
    return {
        "unknown": str(uuid4()),
        "private": await foreign.owner.register(visibility="PRIVATE"),
        "shared to others": foreign.image,
        "revoked": revoked.image,
        "shared to me": shared.image,
        "own": await shared.consumer.register(),
    }


@pytest.mark.parametrize("why", IMAGES)
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("field", FIELDS)
async def test_a_repeated_field_has_the_same_bytes_with_and_without_a_plan(
    populated: PlanRunner, field: str, spelling: str, why: str
) -> None:
    document, variables = _document(field, spelling, populated.images[why], TIMES)

    short = await populated.planner.answer(document, None, variables, populated.viewer.caller)
    long = await populated.viewer.get(document, **variables)

    assert short == orjson.dumps(long)
    assert len(long) == TIMES
    assert all(value == long["a0"] for value in long.values())


@pytest.mark.parametrize("why", IMAGES)
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("field", FIELDS)
async def test_a_repeated_field_is_read_once(populated: PlanRunner, field: str, spelling: str, why: str) -> None:
    once, often = (_document(field, spelling, populated.images[why], times) for times in (1, TIMES))

    assert _lookups(populated.ready(*often)) == _lookups(populated.ready(*once))
    assert await _sent(populated, *often) == await _sent(populated, *once)
    assert _work(populated, await _sent_reads(populated, *often)) == _work(
        populated, await _sent_reads(populated, *once)
    )


@pytest.mark.parametrize("field", FIELDS)
async def test_fields_with_different_arguments_are_read_separately(populated: PlanRunner, field: str) -> None:
    """This proves that the test above counts lookups."""
    first, second = (FIELDS[field].replace("@", _literal(field, populated.images[why])) for why in ("unknown", "own"))

    assert _lookups(populated.ready(f"{{ a: {first} b: {second} }}", {})) == 2
    assert _lookups(populated.ready(f"{{ a: {first} b: {first} }}", {})) == 1


def _document(field: str, spelling: str, id: str, times: int) -> tuple[str, dict[str, Any]]:
    """The field under this many aliases, with the ID as a literal or as a variable."""
    value = _literal(field, id) if spelling == "literals" else "$value"
    fields = " ".join(f"a{number}: {FIELDS[field].replace('@', value)}" for number in range(times))
    if spelling == "literals":
        return f"{{ {fields} }}", {}
    type_ = "[ID!]!" if field == "nodes" else "ID!"
    return f"query($value: {type_}) {{ {fields} }}", {"value": json.loads(_literal(field, id))}


def _literal(field: str, id: str) -> str:
    return json.dumps([id] if field == "nodes" else id)


def _lookups(ready: BoundQuery) -> int:
    return sum(name.endswith("_ids") for name in ready.values)


async def _sent(populated: PlanRunner, document: str, variables: dict[str, Any]) -> int:
    with record_statements(populated.gateway) as sent:
        await populated.viewer.get(document, **variables)
    return len(sent)


async def _sent_reads(populated: PlanRunner, document: str, variables: dict[str, Any]) -> list[Sent]:
    with record_reads(populated.gateway.services.store) as sent:
        await populated.viewer.get(document, **variables)
    return [one for one in sent if "event" not in one[0]]


def _work(populated: PlanRunner, sent: list[Sent]) -> list[int]:
    return work_of(populated.gateway.services.store, sent)
