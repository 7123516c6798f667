"""Budgets: an operation is charged to the tenant of a valid token, otherwise to the address."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Any

from app.documents.price import Prices
from app.model import Caller
from app.settings import Settings
from app.web.limits.bucket import Clock
from app.web.limits.budget import Budget, Charge

# Cheaper than an invalid document, which has been parsed.
BAD_TOKEN_COST = UNKNOWN_DOCUMENT_COST = 20


class Budgets:
    """The budgets of tenants and of addresses. Either is None when it has no limit."""

    def __init__(self, settings: Settings, prices: Prices, clock: Clock = monotonic) -> None:
        tenant, address = settings.rate_per_tenant, settings.rate_per_address
        self.tenants = Budget("tenant", tenant, settings.burst_per_tenant, prices, clock) if tenant else None
        self.addresses = Budget("address", address, settings.burst_per_address, prices, clock) if address else None

    def charge(
        self,
        caller: Caller | None,
        address: str,
        text: str,
        name: str | None,
        variables: Mapping[str, Any] | None,
        may_owe: bool = False,
    ) -> Charge | None:
        """Charge the caller. A known tenant never pays from its address, which other tenants may share."""
        if caller is not None:
            return self.tenants and self.tenants.charge(caller.tenant_id, text, name, variables, may_owe)
        return self.addresses and self.addresses.charge(network(address), text, name, variables, may_owe)

    def charge_bad_token(self, address: str) -> Charge | None:
        return self.addresses and self.addresses.charge_flat(network(address), BAD_TOKEN_COST)

    def charge_unknown_document(self, caller: Caller | None, address: str) -> Charge | None:
        if caller is not None:
            return self.tenants and self.tenants.charge_flat(caller.tenant_id, UNKNOWN_DOCUMENT_COST)
        return self.addresses and self.addresses.charge_flat(network(address), UNKNOWN_DOCUMENT_COST)

    @property
    def limited(self) -> list[Budget]:
        return [budget for budget in (self.tenants, self.addresses) if budget is not None]


def open_budgets(settings: Settings, prices: Prices, clock: Clock = monotonic) -> Budgets | None:
    """The budgets of the settings, or None without any limit."""
    budgets = Budgets(settings, prices, clock)
    return budgets if budgets.limited else None


@lru_cache(maxsize=1_024)
def network(address: str) -> str:
    """The network that one client owns: an IPv4 address, or the first 64 bits of an IPv6 address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64))
