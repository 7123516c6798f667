"""What callers may spend: a tenant on its own account, one without a token, or with a bad one, on its address's."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic
from typing import Any

import orjson

from app.documents.price import REFUSED, Prices
from app.errors import RateLimited
from app.model import Caller
from app.settings import Settings
from app.web.limits.bucket import Bucket, Buckets, Clock

# A bad token costs less than a bad document, which has been parsed. So does a document that is named and not there.
BAD_TOKEN = UNREAD = 20
# A watch is lent what it lacks, and begins when that has been earned, since an error would end it for ever.
LENT_SECONDS = 10


class Charge:
    """What one operation was charged, or why not: `retry_after` seconds, 0 when it may go on.

    `reading` was charged beside the cost, for a document that was new.
    """

    __slots__ = ("budget", "cost", "left", "reading", "retry_after")

    def __init__(self, budget: "Budget", cost: int, left: float, retry_after: int = 0, reading: int = 0) -> None:
        self.reading = reading
        self.budget = budget
        self.cost = cost
        self.left = left
        self.retry_after = retry_after

    def told(self) -> bytes:
        """The JSON of `extensions.cost`, in the words of other GraphQL servers."""
        left = self.left
        return self.budget.told % (self.cost + self.reading, left if left > 0 else 0)

    def head(self) -> str:
        """The header `RateLimit`: how much is left, for so many seconds (draft-ietf-httpapi-ratelimit-headers-11)."""
        return (self.budget.level % self._level()).decode()

    def lines(self) -> bytes:
        """The same two headers as they are sent."""
        return self.budget.lines % self._level()

    def _level(self) -> tuple[float, int]:
        budget, left = self.budget, self.left
        # Rounded up, since a fraction of a second is not enough.
        return (left if left > 0 else 0), self.retry_after or -int((left - budget.brim) // budget.rate)

    def headers(self) -> dict[str, str]:
        return {"RateLimit-Policy": self.budget.policy, "RateLimit": self.head()}

    @property
    def delay(self) -> float:
        """Seconds after which what was lent has been earned."""
        return max(0.0, -self.left / self.budget.rate)

    def refusal(self) -> RateLimited:
        left = max(0, int(self.left))
        return RateLimited(
            f"This costs {self.cost}, and of the {self.budget.whose} budget {left} is left. "
            f"Try again in {self.retry_after} s, or ask for less.",
            retryAfter=self.retry_after,
        )


class Budget:
    """The accounts of one kind of callers."""

    def __init__(self, name: str, whose: str, rate: int, brim: int, prices: Prices, clock: Clock) -> None:
        self.name = name
        self.whose = whose
        self.rate = rate
        self.brim = brim
        self.buckets = Buckets(rate, brim, clock)
        self.policy = f'"{name}";q={brim};w={max(1, ceil(brim / rate))}'
        self.level = b'"%b";r=%%d;t=%%d' % name.encode()
        self.lines = b"ratelimit-policy: %b\r\nratelimit: %b\r\n" % (self.policy.encode(), self.level)
        level = b'"throttleStatus":{"maximumAvailable":%d,"currentlyAvailable":%%d,"restoreRate":%d}' % (brim, rate)
        self.told = b'{"requestedQueryCost":%d,' + level + b"}"
        self.answer = b'{"data":%b,"extensions":{"cost":' + self.told + b"}}"
        # Whose spending the other workers have not heard of; None where there are none.
        self.unsettled: dict[str, Bucket] | None = None
        self._prices = prices
        self._most_lent = LENT_SECONDS * rate

    def charge(
        self, who: str, text: str, name: str | None, variables: Mapping[str, Any] | None, lends: bool = False
    ) -> Charge:
        """Take what the operation costs, if it is there. Who has nothing is refused before the text is read."""
        bucket = self.buckets.of(who)
        if bucket.level < 1 and not (lends and bucket.level > -self._most_lent):
            return self._refused(bucket, 1)
        if bucket.level >= self.brim:
            bucket.refused = 0
        on_credit = bucket.level < 1
        price = self._prices.of(text, name, variables)
        # It has been read, whatever becomes of it. An operation that costs more than all takes all that is left.
        reading = min(price.reading, self.brim)
        if reading:
            self._taken(who, bucket, reading)
        cost = min(price.cost, self.brim - reading)
        if bucket.level >= cost or (lends and price.is_watch and bucket.level - cost >= -self._most_lent):
            return self._taken(who, bucket, cost, reading)
        before, bucket.refused = bucket.refused, hash(text)
        if on_credit or (before and before != bucket.refused):
            # It was read on credit, and was no watch; or it is another one than that which is tried again.
            self._taken(who, bucket, min(REFUSED, self.brim))
        # Its reading has been paid for, so that much is not missing from the cost when it is tried again.
        return self._refused(bucket, min(price.cost, self.brim))

    def charge_flat(self, who: str, cost: int) -> Charge:
        bucket = self.buckets.of(who)
        if cost > self.brim:
            cost = self.brim
        if bucket.level < cost:
            return self._refused(bucket, cost)
        return self._taken(who, bucket, cost)

    def toll(self, who: str, cost: int) -> float:
        """Take the cost where anything is left, as a debt if need be; else the seconds until there is something."""
        bucket = self.buckets.of(who)
        if bucket.level <= 0:
            return (1 - bucket.level) / self.rate
        self._taken(who, bucket, min(cost, self.brim))
        return 0.0

    def refund(self, who: str, charge: Charge) -> None:
        """Give back what was taken for an operation that was then not begun."""
        charge.left = self._taken(who, self.buckets.of(who), -charge.cost).left

    def _taken(self, who: str, bucket: Bucket, cost: int, reading: int = 0) -> Charge:
        bucket.level -= cost
        if self.unsettled is not None:
            bucket.unsettled += cost
            self.unsettled[who] = bucket
        return Charge(self, cost, bucket.level, reading=reading)

    def _refused(self, bucket: Bucket, cost: int) -> Charge:
        return Charge(self, cost, bucket.level, max(1, ceil((cost - bucket.level) / self.rate)))


class Budgets:
    """Those of the tenants and those of the addresses; either may be without a limit."""

    def __init__(self, settings: Settings, prices: Prices, clock: Clock = monotonic) -> None:
        of_tenant = settings.rate_per_tenant, settings.burst_per_tenant
        of_address = settings.rate_per_address, settings.burst_per_address
        self.tenants = Budget("tenant", "tenant's", *of_tenant, prices, clock) if of_tenant[0] else None
        self.addresses = Budget("address", "address's", *of_address, prices, clock) if of_address[0] else None

    def charge(
        self,
        caller: Caller | None,
        address: str,
        text: str,
        name: str | None,
        variables: Mapping[str, Any] | None,
        lends: bool = False,
    ) -> Charge | None:
        """Charge the one who asks: never the address of one whose tenant is known, for others may be behind it."""
        if caller is not None:
            return self.tenants and self.tenants.charge(caller.tenant_id, text, name, variables, lends)
        return self.addresses and self.addresses.charge(network(address), text, name, variables, lends)

    def charge_bad_token(self, address: str) -> Charge | None:
        return self.addresses and self.addresses.charge_flat(network(address), BAD_TOKEN)

    def charge_unread(self, caller: Caller | None, address: str) -> Charge | None:
        """For a document that was refused by its name."""
        if caller is not None:
            return self.tenants and self.tenants.charge_flat(caller.tenant_id, UNREAD)
        return self.addresses and self.addresses.charge_flat(network(address), UNREAD)

    @property
    def kinds(self) -> list[Budget]:
        return [budget for budget in (self.tenants, self.addresses) if budget is not None]


def open_budgets(settings: Settings, prices: Prices, clock: Clock = monotonic) -> Budgets | None:
    """None when nobody has a limit."""
    budgets = Budgets(settings, prices, clock)
    return budgets if budgets.kinds else None


def data_with_cost(data: bytes, charge: Charge | None) -> bytes:
    """The JSON of an answer whose `data` is JSON already."""
    if charge is None:
        return b'{"data":%b}' % data
    left = charge.left
    return charge.budget.answer % (data, charge.cost + charge.reading, left if left > 0 else 0)


def with_cost(response: dict[str, Any], charge: Charge | None) -> dict[str, Any]:
    """An answer that also tells what it was charged."""
    if charge is not None:
        response["extensions"] = {"cost": orjson.loads(charge.told())}
    return response


@lru_cache(maxsize=1_024)
def network(address: str) -> str:
    """What one client has for itself: an IPv4 address, or 64 bits of an IPv6 one."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64))
