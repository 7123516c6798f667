"""Health, without a token: is the process alive, and can it serve?"""

from starlette.requests import Request
from starlette.responses import JSONResponse

from app.api.context import Services
from app.errors import Unavailable


async def livez(request: Request) -> JSONResponse:
    """The event loop answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """The store can be read, and the feed keeps up with its log."""
    services: Services = request.app.state.services
    try:
        await services.feed.head()
    except Unavailable:
        return JSONResponse({"status": "unavailable", "reason": "the store can't be reached"}, 503)
    if not services.feed.healthy:
        return JSONResponse({"status": "unavailable", "reason": "the log can't be followed"}, 503)
    return JSONResponse({"status": "ok"})
