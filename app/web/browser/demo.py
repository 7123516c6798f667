"""The live demo: its page, and a fresh token for each of its tenants."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.model import Role
from app.web.browser import pages
from app.web.browser.assets import STATIC
from app.web.browser.loopback import is_from_loopback
from app.web.callers.identity import SharedSecret

TOKEN_TTL = timedelta(hours=1)
_FOLDER = STATIC / "demo"
_POLICY = "script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}
_REFUSED = (
    "The demo hands out tokens, so it serves this machine only: open it as http://127.0.0.1 or http://localhost, "
    "without a proxy. To open it to everyone who can reach it: image-gateway serve --demo-public."
)
# The values of Sec-Fetch-Site for requests of the gateway's own pages and for typed addresses; None for other programs.
_OWN_SITES = (None, "none", "same-origin")
_PRIVATE = {"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"}
Handler = Callable[[Request], Awaitable[Response]]


class Demo(NamedTuple):
    """The demo's tenants, each with its story, and whether it is open to everyone or only to this machine."""

    tenants: Mapping[str, str]
    is_public: bool = False

    def admits(self, request: Request) -> bool:
        return self.is_public or is_from_loopback(request)


def demo_routes(demo: Demo, secret: SharedSecret) -> list[BaseRoute]:
    """The routes of the page, its files and its tokens."""
    handlers = {"/demo": _page, "/demo/tenants": _tenants_handler(demo.tenants, secret), "/demo/{name}": _file}
    return [Route(path, _restrict(demo, handler)) for path, handler in handlers.items()]


def _restrict(demo: Demo, handler: Handler) -> Handler:
    """Refuse requests that the demo does not admit."""

    @wraps(handler)
    async def respond(request: Request) -> Response:
        if not demo.admits(request):
            raise HTTPException(403, _REFUSED)
        return await handler(request)

    return respond


async def _page(request: Request) -> Response:
    return pages.page((_FOLDER / "index.html").read_text(), _POLICY)


async def _file(request: Request) -> Response:
    """A style sheet or a module. Names are looked up among those of the folder, so no path leads out of it."""
    path = _modules().get(request.path_params["name"])
    if path is None:
        raise HTTPException(404)
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(path, media_type=_MEDIA_TYPES[path.suffix], headers=headers)


def _modules() -> dict[str, Path]:
    return {path.name: path for path in _FOLDER.iterdir() if path.suffix in _MEDIA_TYPES}


def _tenants_handler(tenants: Mapping[str, str], secret: SharedSecret) -> Handler:
    async def serve_tenants(request: Request) -> Response:
        if request.headers.get("sec-fetch-site") not in _OWN_SITES:
            raise HTTPException(403, "Only pages of this gateway may read the tokens of its demo.")
        body = [{"tenantId": id, "story": story, "token": _mint(secret, id)} for id, story in tenants.items()]
        return JSONResponse(body, headers=_PRIVATE)

    return serve_tenants


def _mint(secret: SharedSecret, tenant_id: str) -> str:
    return secret.mint(tenant_id, frozenset({Role.ADMIN}), TOKEN_TTL, f"demo-{tenant_id}")
