"""Health, without a token: is the process alive, and can it serve?"""

from starlette.requests import Request
from starlette.responses import JSONResponse

from app.api.operation.context import Services
from app.web.callers.identity import IdentityProvider


async def livez(request: Request) -> JSONResponse:
    """The event loop answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """The store answers, and its log is followed. The feed knows; asking the store would let anyone load it."""
    services: Services = request.app.state.services
    identities: IdentityProvider = request.app.state.identities
    reasons = {
        "the server is about to end": request.app.state.leaving,
        "the store can't be reached": not services.feed.is_healthy,
        "there are no keys to verify tokens with": not identities.is_ready,
    }
    reason = next((reason for reason, holds in reasons.items() if holds), None)
    if reason is None:
        return JSONResponse({"status": "ok"})
    return JSONResponse({"status": "unavailable", "reason": reason}, 503)
