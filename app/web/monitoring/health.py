"""Health, without a token: is the process alive, and can it serve?"""

from starlette.requests import Request
from starlette.responses import JSONResponse

from app.events.feed import Feed
from app.web.callers.identity import IdentityProvider


class Health:
    """The state of one process. The feed knows whether the store answers: a query for each probe could overload it."""

    def __init__(self, feed: Feed, identities: IdentityProvider) -> None:
        self._feed = feed
        self._identities = identities
        self.is_draining = False

    async def livez(self, request: Request) -> JSONResponse:
        """The event loop answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> JSONResponse:
        """The store answers, its log is followed, and callers can be identified."""
        reasons = {
            "the server is about to end": self.is_draining,
            "the store can't be reached": not self._feed.is_healthy,
            "there are no keys to verify tokens with": not self._identities.is_ready,
        }
        reason = next((reason for reason, holds in reasons.items() if holds), None)
        if reason is None:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "unavailable", "reason": reason}, 503)
