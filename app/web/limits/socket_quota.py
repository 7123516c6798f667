"""The places that WebSockets take: in the server, with their address until their tenant is known, and then with it."""

from app.settings import Settings
from app.web.limits.bucket import Bucket
from app.web.limits.tenant_counts import Crowd

FULL = "The server has too many connections"
FULL_ADDRESS = "Your address has too many connections without a token"
FULL_TENANT = "Your tenant has too many connections"


class Places:
    """Those of one server process."""

    def __init__(self, settings: Settings) -> None:
        self.all = Crowd(settings.max_connections)
        # Whose tenant is known counts there alone: others behind the same address must not notice.
        self.strangers = Crowd(settings.max_connections_per_address)
        self.tenants = Crowd(settings.max_connections_per_tenant)


class Place:
    """That of one socket."""

    __slots__ = ("_address", "_held", "_places")

    def __init__(self, places: Places, address: str) -> None:
        self._places = places
        self._address = address
        self._held: list[tuple[Crowd, str]] = []

    def arrive(self) -> str | None:
        """Why there is no place for it; None when it has one."""
        if not self._enter(self._places.all, ""):
            return FULL
        return None if self._enter(self._places.strangers, self._address) else FULL_ADDRESS

    def introduce(self, tenant_id: str) -> str | None:
        """Its tenant is known, and takes it over. Why that has no place for it; None when it has."""
        if not self._enter(self._places.tenants, tenant_id):
            return FULL_TENANT
        stranger = self._places.strangers, self._address
        self._held.remove(stranger)
        stranger[0].leave(stranger[1])
        return None

    def leave(self) -> None:
        while self._held:
            crowd, who = self._held.pop()
            crowd.leave(who)

    def _enter(self, crowd: Crowd, who: str) -> bool:
        if has_room := crowd.enter(who):
            self._held.append((crowd, who))
        return has_room


class Pace:
    """How fast messages may come on one socket: so many a second, and twice as many at once."""

    __slots__ = ("_bucket", "_per_second")

    def __init__(self, per_second: int, now: float) -> None:
        self._per_second = per_second
        self._bucket = Bucket(2 * per_second, now)

    def is_kept(self, now: float) -> bool:
        """Whether one more message keeps it."""
        bucket = self._bucket
        bucket.level = min(2.0 * self._per_second, bucket.level + (now - bucket.at) * self._per_second) - 1
        bucket.at = now
        return bucket.level >= 0
