"""The live demo: its page, and a fresh token for each tenant that can be played on it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.model import Role
from app.web.browser import pages
from app.web.browser.assets import STATIC
from app.web.callers.identity import SharedSecret

TOKEN_TTL = timedelta(hours=1)
_FOLDER = STATIC / "demo"
_POLICY = "script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}


def demo_routes(tenants: Mapping[str, str], secret: SharedSecret) -> list[BaseRoute]:
    """Where the demo is. `tenants` tells a story of each tenant ID."""
    return [
        Route("/demo", _page),
        Route("/demo/tenants", _tokens(tenants, secret)),
        Route("/demo/{name}", _file),
    ]


async def _page(request: Request) -> Response:
    return pages.page((_FOLDER / "index.html").read_text(), _POLICY)


async def _file(request: Request) -> Response:
    """A style or a module. Only names that are in the folder count, so none leads out of it."""
    path = _modules().get(request.path_params["name"])
    if path is None:
        raise HTTPException(404)
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(path, media_type=_MEDIA_TYPES[path.suffix], headers=headers)


def _modules() -> dict[str, Path]:
    return {path.name: path for path in _FOLDER.iterdir() if path.suffix in _MEDIA_TYPES}


def _tokens(tenants: Mapping[str, str], secret: SharedSecret) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        played = [{"tenantId": id, "story": story, "token": _token(secret, id)} for id, story in tenants.items()]
        return JSONResponse(played, headers={"Cache-Control": "no-store"})

    return answer


def _token(secret: SharedSecret, tenant_id: str) -> str:
    return secret.mint(tenant_id, frozenset({Role.ADMIN}), TOKEN_TTL, f"demo-{tenant_id}")
