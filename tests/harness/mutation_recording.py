"""Runs every mutation and every refusal, and records the responses to compare two ways of execution."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from graphql import get_named_type

from app.errors import Unavailable
from app.sharing import service
from tests.harness.api_objects import full_selection
from tests.harness.gateway import IMAGE, Gateway, Tenant
from tests.harness.queries import CORE

Do = Callable[[Tenant, str, dict[str, Any]], Awaitable[bytes]]
_ID_OR_TIME = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z")
LONG = "x" * 300
MUTATIONS: dict[str, Any] = cast(Any, CORE.type_map["Mutation"]).fields


def _document(name: str) -> str:
    field = MUTATIONS[name]
    of = field.args["input"].type
    return f"mutation Q($input: {of}) {{ {name}(input: $input) {full_selection(get_named_type(field.type).name)} }}"


DOCUMENTS = {name: _document(name) for name in MUTATIONS}


class Recording:
    """The responses of a run, with IDs and times numbered in the order of their first occurrence."""

    def __init__(self, do: Do) -> None:
        self._do = do
        self._numbers: dict[bytes, bytes] = {}
        self.responses: list[tuple[str, bytes]] = []

    async def step(self, tenant: Tenant, mutation: str, **input: Any) -> bytes:
        answer = await self._do(tenant, mutation, input)
        self.responses.append((mutation, _ID_OR_TIME.sub(self._number, answer)))
        return answer

    def _number(self, found: re.Match[bytes]) -> bytes:
        return self._numbers.setdefault(found[0], b"#%d" % len(self._numbers))


async def run_every_mutation(gateway: Gateway, story: Recording) -> None:
    """Run every mutation into success and every possible refusal. Needs a quota of 2."""
    owner, consumer, stranger = (gateway.tenant(id_) for id_ in ("1", "2", "3"))
    observer = gateway.tenant("1", "observer")
    step = story.step
    registered = await step(owner, "registerImage", **IMAGE, tags=["a"], sizeBytes=2**53 - 1, clientMutationId="m")
    await step(owner, "registerImage", **{**IMAGE, "name": ""})
    await step(owner, "registerImage", **IMAGE, status="DEACTIVATED")
    await step(observer, "registerImage", **IMAGE)
    id_ = registered.split(b'"id":"')[1][:36].decode()
    await _offers(step, id_, owner, consumer, stranger)
    for answer in ("acceptOffer", "deferOffer", "rejectOffer"):
        await step(consumer, answer, imageId=id_, idempotencyKey=answer)
        await step(consumer, answer, imageId=id_, idempotencyKey=answer)
        await step(consumer, answer, imageId=id_, clientMutationId=LONG)
        await step(stranger, answer, imageId=id_)
        await step(owner, answer, imageId=id_)
    for caller, changes in (
        (owner, {"name": "new", "tags": None}),
        (owner, {"status": "QUEUED"}),
        (owner, {"name": ""}),
    ):
        await step(caller, "updateImage", id=id_, **changes)
    await step(consumer, "updateImage", id=id_, name="mine")
    await step(stranger, "updateImage", id=id_, name="mine")
    for caller, tenant_id in ((consumer, "2"), (stranger, "2"), (owner, "no digits"), (owner, "2"), (owner, "2")):
        await step(caller, "revokeMember", imageId=id_, tenantId=tenant_id)
    await step(owner, "deleteImage", id=id_, idempotencyKey="")
    await step(gateway.tenant("4"), "deleteImage", id=id_)
    await step(stranger, "deleteImage", id=id_)
    await step(owner, "updateImage", id=id_, protected=True)
    await step(owner, "deleteImage", id=id_)
    await step(owner, "updateImage", id=id_, protected=False)
    await step(owner, "deleteImage", id=id_)


async def _offers(step: Any, id_: str, owner: Tenant, consumer: Tenant, stranger: Tenant) -> None:
    await step(owner, "offerImage", imageId=id_, tenantIds=["4"])
    await step(owner, "offerImage", imageId=id_, tenantIds=["2", "4", "5", "2", LONG, "x"], idempotencyKey="k")
    await step(owner, "offerImage", imageId=id_, tenantIds=["2"], idempotencyKey="k")
    await step(owner, "offerImage", imageId=id_, tenantIds=[])
    await step(consumer, "offerImage", imageId=id_, tenantIds=["5"])
    await step(stranger, "offerImage", imageId=id_, tenantIds=["5"])


ACCEPT = "mutation Q($input: AcceptOfferInput!) { done: acceptOffer(input: $input) { member { id status } } }"
# What can happen after an answer to an offer has been committed.
FAILURES = [None, RuntimeError("after the fact"), Unavailable("Not now.")]


def record_answers(monkeypatch: pytest.MonkeyPatch, failure: Exception | None) -> list[str]:
    """Record the images whose offers are answered, and raise the failure after the second answer.

    The first answer is the one of `World.other`.
    """
    act, calls = service.answer_offer, list[str]()

    async def answer(store: Any, caller: Any, image_id: str, *args: Any) -> Any:
        calls.append(image_id)
        outcome = await act(store, caller, image_id, *args)
        if failure is not None and len(calls) > 1:
            raise failure
        return outcome

    monkeypatch.setattr(service, "answer_offer", answer)
    return calls
