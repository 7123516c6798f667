"""Budgets: what callers of one kind may spend on operations, and the charge for one operation."""

from collections.abc import Mapping
from math import ceil
from typing import Any

import orjson

from app.documents.price import REFUSED, Prices
from app.errors import RateLimited
from app.web.limits.bucket import Bucket, Buckets, Clock

# A watch may start on credit, and waits until it has been earned: an error would end it for good.
MAX_DEBT_SECONDS = 10


class Charge:
    """The charge of one operation. `retry_after` is 0, or the seconds to wait if it was refused.

    `reading` was charged in addition to the cost, for a document that was new.
    """

    __slots__ = ("budget", "cost", "reading", "remaining", "retry_after")

    def __init__(self, budget: "Budget", cost: int, remaining: float, retry_after: int = 0, reading: int = 0) -> None:
        self.reading = reading
        self.budget = budget
        self.cost = cost
        self.remaining = remaining
        self.retry_after = retry_after

    def extension(self) -> bytes:
        """The JSON of `extensions.cost`, in the format of other GraphQL servers."""
        remaining = self.remaining
        return self.budget.extension_template % (self.cost + self.reading, remaining if remaining > 0 else 0)

    def rate_limit(self) -> str:
        """The RateLimit header (draft-ietf-httpapi-ratelimit-headers-11)."""
        return (self.budget.rate_limit_template % self._level()).decode()

    def headers(self) -> dict[str, str]:
        return {"RateLimit-Policy": self.budget.policy, "RateLimit": self.rate_limit()}

    def header_lines(self) -> bytes:
        """The headers as they are sent."""
        return self.budget.header_template % self._level()

    def _level(self) -> tuple[float, int]:
        budget, remaining = self.budget, self.remaining
        # Rounded up, since a fraction of a second is not enough.
        refilled_in = -int((remaining - budget.capacity) // budget.rate)
        return (remaining if remaining > 0 else 0), self.retry_after or refilled_in

    @property
    def delay(self) -> float:
        """The seconds until the debt has been earned."""
        return max(0.0, -self.remaining / self.budget.rate)

    def error(self) -> RateLimited:
        remaining = max(0, int(self.remaining))
        return RateLimited(
            f"This operation costs {self.cost}, and the {self.budget.owner}'s budget has {remaining} left. "
            f"Try again in {self.retry_after} s, or request less.",
            retryAfter=self.retry_after,
        )


class Budget:
    """The budgets of all callers of one kind: tenants or addresses."""

    def __init__(self, owner: str, rate: int, capacity: int, prices: Prices, clock: Clock) -> None:
        self.owner = owner
        self.rate = rate
        self.capacity = capacity
        self.buckets = Buckets(rate, capacity, clock)
        self.policy = f'"{owner}";q={capacity};w={max(1, ceil(capacity / rate))}'
        self.rate_limit_template = b'"%b";r=%%d;t=%%d' % owner.encode()
        self.header_template = b"ratelimit-policy: %b\r\nratelimit: %b\r\n" % (
            self.policy.encode(),
            self.rate_limit_template,
        )
        status = b'{"maximumAvailable":%d,"currentlyAvailable":%%d,"restoreRate":%d}' % (capacity, rate)
        self.extension_template = b'{"requestedQueryCost":%d,"throttleStatus":' + status + b"}"
        self.response_template = b'{"data":%b,"extensions":{"cost":' + self.extension_template + b"}}"
        # The buckets whose spending the other workers don't know yet. None without other workers.
        self.unsettled: dict[str, Bucket] | None = None
        self._prices = prices
        self._max_debt = MAX_DEBT_SECONDS * rate

    def charge(
        self, key: str, text: str, name: str | None, variables: Mapping[str, Any] | None, may_owe: bool = False
    ) -> Charge:
        """Charge an operation if the budget covers it. Callers with an empty budget are refused before parsing.

        With `may_owe`, a watch may go into debt.
        """
        bucket = self.buckets.get(key)
        if bucket.level < 1 and not (may_owe and bucket.level > -self._max_debt):
            return self._refuse(bucket, 1)
        if bucket.level >= self.capacity:
            bucket.refused_text = 0
        on_credit = bucket.level < 1
        price = self._prices.of(text, name, variables)
        # Reading the document is charged even if the operation is refused. One that costs more than the capacity takes
        # all that is left.
        reading = min(price.reading, self.capacity)
        if reading:
            self._spend(key, bucket, reading)
        cost = min(price.cost, self.capacity - reading)
        if bucket.level >= cost or (may_owe and price.is_watch and bucket.level - cost >= -self._max_debt):
            return self._spend(key, bucket, cost, reading)
        previous, bucket.refused_text = bucket.refused_text, hash(text)
        if on_credit or (previous and previous != bucket.refused_text):
            # A retry of the same text is free, but this one is another text, or was parsed on credit and is no watch.
            self._spend(key, bucket, min(REFUSED, self.capacity))
        # A retry doesn't pay for reading again, so it has the whole capacity for its cost.
        return self._refuse(bucket, min(price.cost, self.capacity))

    def charge_flat(self, key: str, cost: int) -> Charge:
        bucket = self.buckets.get(key)
        if cost > self.capacity:
            cost = self.capacity
        if bucket.level < cost:
            return self._refuse(bucket, cost)
        return self._spend(key, bucket, cost)

    def toll(self, key: str, cost: int) -> float:
        """Charge the cost if anything is left, going into debt if need be. Else return the seconds to wait."""
        bucket = self.buckets.get(key)
        if bucket.level <= 0:
            return (1 - bucket.level) / self.rate
        self._spend(key, bucket, min(cost, self.capacity))
        return 0.0

    def refund(self, key: str, charge: Charge) -> None:
        """Refund the cost of an operation that was charged but not started."""
        charge.remaining = self._spend(key, self.buckets.get(key), -charge.cost).remaining

    def _spend(self, key: str, bucket: Bucket, cost: int, reading: int = 0) -> Charge:
        bucket.level -= cost
        if self.unsettled is not None:
            bucket.unsettled += cost
            self.unsettled[key] = bucket
        return Charge(self, cost, bucket.level, reading=reading)

    def _refuse(self, bucket: Bucket, cost: int) -> Charge:
        return Charge(self, cost, bucket.level, max(1, ceil((cost - bucket.level) / self.rate)))


def data_with_cost(data: bytes, charge: Charge | None) -> bytes:
    """The JSON of a response whose `data` is JSON already."""
    if charge is None:
        return b'{"data":%b}' % data
    remaining = charge.remaining
    cost = charge.cost + charge.reading
    return charge.budget.response_template % (data, cost, remaining if remaining > 0 else 0)


def with_cost(response: dict[str, Any], charge: Charge | None) -> dict[str, Any]:
    """Add `extensions.cost` to a response."""
    if charge is not None:
        response["extensions"] = {"cost": orjson.loads(charge.extension())}
    return response
