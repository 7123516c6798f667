"""Quotas of WebSockets per process, per address while the tenant is unknown, and per tenant; and their message rate."""

from app.settings import Settings
from app.web.limits.bucket import Bucket
from app.web.limits.quota import Quota

FULL = "The server has too many connections"
FULL_ADDRESS = "Your address has too many connections without a token"
FULL_TENANT = "Your tenant has too many connections"


class SocketQuotas:
    """The quotas of one server process."""

    def __init__(self, settings: Settings) -> None:
        self.process = Quota(settings.max_connections)
        # Once its tenant is known, a socket no longer counts for its address, which other tenants may share.
        self.addresses = Quota(settings.max_connections_per_address)
        self.tenants = Quota(settings.max_connections_per_tenant)


class SocketSlot:
    """The share of the quotas that one socket holds."""

    __slots__ = ("_address", "_held", "_quotas")

    def __init__(self, quotas: SocketQuotas, address: str) -> None:
        self._quotas = quotas
        self._address = address
        self._held: list[tuple[Quota, str]] = []

    def acquire(self) -> str | None:
        """Count the socket for its address. Returns the reason if a quota is exhausted."""
        if not self._acquire(self._quotas.process, ""):
            return FULL
        return None if self._acquire(self._quotas.addresses, self._address) else FULL_ADDRESS

    def move_to_tenant(self, tenant_id: str) -> str | None:
        """Count the socket for its tenant instead of its address. Returns the reason if the quota is exhausted."""
        if not self._acquire(self._quotas.tenants, tenant_id):
            return FULL_TENANT
        self._quotas.addresses.release(self._address)
        self._held.remove((self._quotas.addresses, self._address))
        return None

    def release(self) -> None:
        while self._held:
            quota, key = self._held.pop()
            quota.release(key)

    def _acquire(self, quota: Quota, key: str) -> bool:
        if acquired := quota.acquire(key):
            self._held.append((quota, key))
        return acquired


class MessageRate:
    """Limits the messages of one socket to a number per second, with bursts of twice that number."""

    __slots__ = ("_bucket", "_per_second")

    def __init__(self, per_second: int, now: float) -> None:
        self._per_second = per_second
        self._bucket = Bucket(2 * per_second, now)

    def allows(self, now: float) -> bool:
        """Count one message. Returns False when it exceeds the rate."""
        bucket = self._bucket
        bucket.level = min(2.0 * self._per_second, bucket.level + (now - bucket.updated_at) * self._per_second) - 1
        bucket.updated_at = now
        return bucket.level >= 0
