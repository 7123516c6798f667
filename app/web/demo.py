"""The live demo: its page, and a fresh token for each tenant that can be played on it."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from app.model import Role
from app.web import pages
from app.web.assets import STATIC
from app.web.identity import SharedSecret

FOLDER: Path = STATIC / "demo"
TOKEN_TTL = timedelta(hours=1)
_POLICY = "script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"


def demo_routes(tenants: Mapping[str, str], secret: SharedSecret) -> list[BaseRoute]:
    """Where the demo is. `tenants` tells a story of each tenant ID."""

    async def page(request: Request) -> Response:
        return pages.page((FOLDER / "index.html").read_text(), _POLICY)

    async def tokens(request: Request) -> Response:
        played = [{"tenantId": id, "story": story, "token": _token(secret, id)} for id, story in tenants.items()]
        return JSONResponse(played, headers={"Cache-Control": "no-store"})

    return [
        Route("/demo", page),
        Route("/demo/tenants", tokens),
        Mount("/demo", StaticFiles(directory=FOLDER)),
    ]


def _token(secret: SharedSecret, tenant_id: str) -> str:
    return secret.mint(tenant_id, frozenset({Role.ADMIN}), TOKEN_TTL, f"demo-{tenant_id}")
