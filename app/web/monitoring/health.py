"""Health checks, without a token: liveness and readiness."""

from math import isinf

from starlette.requests import Request
from starlette.responses import JSONResponse

from app.events.feed import Feed
from app.web.callers.identity import IdentityProvider
from app.web.wire.mirror_age import MirrorAge


class Health:
    """The health of one process. The store's state is read from the feed, since a query per probe could overload it."""

    def __init__(self, feed: Feed, identities: IdentityProvider, mirror_age: MirrorAge | None = None) -> None:
        self._feed = feed
        self._identities = identities
        self._mirror_age = mirror_age
        self.is_draining = False

    async def livez(self, request: Request) -> JSONResponse:
        """Liveness: the event loop responds."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> JSONResponse:
        """Readiness: the store responds, its log is followed, and callers can be identified."""
        reasons = {
            "the server is about to end": self.is_draining,
            "the store can't be reached": not self._feed.is_healthy,
            "there are no keys to verify tokens with": not self._identities.is_ready,
        }
        reason = next((reason for reason, holds in reasons.items() if holds), None)
        if reason is None:
            return JSONResponse({"status": "ok", **self._mirror()})
        return JSONResponse({"status": "unavailable", "reason": reason}, 503)

    def _mirror(self) -> dict[str, str]:
        """The age of a cloud's mirror if it is out of date. Reads are still served from it, so the process is ready."""
        if self._mirror_age is None or (age := self._mirror_age.stale) is None:
            return {}
        since = "since the gateway was set up" if isinf(age) else f"of the last {age:.0f} seconds"
        return {"mirror": f"Changes in Glance {since} may be missing, because it can't be reached."}
