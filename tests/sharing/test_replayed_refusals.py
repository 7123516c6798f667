"""A retry with the same idempotency key gets the recorded refusals, whatever their code."""

import pytest

from app.errors import Refusal, UserErrorCode
from app.sharing import outcome
from app.sharing.outcome import Outcome, Request
from app.store.engines.transaction import Transaction
from tests.harness.gateway import Gateway
from tests.harness.scenario import fresh_id


@pytest.mark.parametrize("code", UserErrorCode)
async def test_a_refusal_of_any_code_is_replayed_as_it_was(shared_gateway: Gateway, code: UserErrorCode) -> None:
    store, caller = shared_gateway.services.store, shared_gateway.tenant("1").caller
    assert caller is not None
    [kind] = [kind for kind in Refusal.__subclasses__() if kind.code is code]
    refused = kind("The reason.", ("input", "tenantIds", "0"), tenant_id="2002", member_id=fresh_id())
    request = Request("offerImage", {}, idempotency_key=code)
    first = Outcome(ended_id=fresh_id(), refusals=(refused,))

    async def record(tx: Transaction) -> None:
        await outcome.remember(tx, caller, request, first)

    async def replay(tx: Transaction) -> Outcome | None:
        return await outcome.earlier(tx, caller, request)

    await store.act(record)
    replayed = await store.act(replay)
    assert replayed is not None
    assert replayed.ended_id == first.ended_id
    [refusal] = replayed.refusals
    assert type(refusal) is kind
    assert vars(refusal) == vars(refused)
