"""The live demo: its page, and a fresh token for each tenant that can be played on it."""

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
    "The demo hands out tokens, so it answers pages of this machine only: open it as http://127.0.0.1 or "
    "http://localhost, without a proxy. To show it to everyone who reaches it: image-gateway serve --demo-public."
)
# What browsers say of a page's own request, and of an address that was typed; other programs say nothing.
_OWN_SITES = (None, "none", "same-origin")
_PRIVATE = {"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"}
Answer = Callable[[Request], Awaitable[Response]]


class Demo(NamedTuple):
    """A story for each tenant ID, and whether everyone may play them or only this machine."""

    tenants: Mapping[str, str]
    is_public: bool = False

    def admits(self, request: Request) -> bool:
        return self.is_public or is_from_loopback(request)


def demo_routes(demo: Demo, secret: SharedSecret) -> list[BaseRoute]:
    """The page, its files and its tokens."""
    answers = {"/demo": _page, "/demo/tenants": _tokens(demo.tenants, secret), "/demo/{name}": _file}
    return [Route(path, _guarded(demo, answer)) for path, answer in answers.items()]


def _guarded(demo: Demo, answer: Answer) -> Answer:
    @wraps(answer)
    async def guarded(request: Request) -> Response:
        if not demo.admits(request):
            raise HTTPException(403, _REFUSED)
        return await answer(request)

    return guarded


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


def _tokens(tenants: Mapping[str, str], secret: SharedSecret) -> Answer:
    async def answer(request: Request) -> Response:
        if request.headers.get("sec-fetch-site") not in _OWN_SITES:
            raise HTTPException(403, "Only pages of this gateway may read the tokens of its demo.")
        played = [{"tenantId": id, "story": story, "token": _token(secret, id)} for id, story in tenants.items()]
        return JSONResponse(played, headers=_PRIVATE)

    return answer


def _token(secret: SharedSecret, tenant_id: str) -> str:
    return secret.mint(tenant_id, frozenset({Role.ADMIN}), TOKEN_TTL, f"demo-{tenant_id}")
