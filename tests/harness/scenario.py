"""An image and callers in every relation to it, for table-driven tests."""

from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

from tests.harness.gateway import Gateway, Tenant

STATES = ("none", "pending", "accepted", "rejected", "revoked")
_fresh_ids = count(100_000)


def fresh_id() -> str:
    """A tenant ID that no test has used before."""
    return str(next(_fresh_ids))


@dataclass
class Scenario:
    """An image of `owner`, offered to `other` (accepted) and, as far as the state says, to `consumer`."""

    image: str
    owner: Tenant
    consumer: Tenant
    other: Tenant
    stranger: Tenant
    operator: Tenant
    anonymous: Tenant
    consumer_row: str

    def caller(self, role: str) -> Tenant:
        return getattr(self, role)


async def make_scenario(gateway: Gateway, state: str, **image: Any) -> Scenario:
    owner, consumer, other, stranger = (gateway.tenant(fresh_id()) for _ in range(4))
    operator = gateway.tenant(fresh_id(), "operator")
    image_id = await owner.register(**image)
    await owner.offer(image_id, other.id)
    await other.accept(image_id)
    row = await _bring_to_state(state, owner, consumer, image_id)
    return Scenario(image_id, owner, consumer, other, stranger, operator, gateway.anonymous, row)


async def _bring_to_state(state: str, owner: Tenant, consumer: Tenant, image_id: str) -> str:
    """Bring the consumer's row to the state and return its ID, or a random ID if there is no row."""
    if state == "none":
        return str(uuid4())
    row = (await owner.offer(image_id, consumer.id))["members"][0]["id"]
    if state in ("accepted", "revoked"):
        await consumer.accept(image_id)
    if state == "rejected":
        await consumer.reject(image_id)
    if state == "revoked":
        await owner.revoke(image_id, consumer.id)
    return row
