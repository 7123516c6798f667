"""Static files for front ends: modules that any page may import, the assets of GraphiQL, and the schema."""

from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent.parent / "static"
BUILT = STATIC / "built"
_OPEN = {"Cache-Control": "public, max-age=3600", "Access-Control-Allow-Origin": "*"}


class ImmutableFiles(StaticFiles):
    """Files whose names contain a hash of their content, so that browsers may cache them for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def asset_routes(print_schema: Callable[[], str] | None) -> list[BaseRoute]:
    """The routes of the static files. `print_schema` returns the text of the schema; None hides it."""
    # Printed at the first request, because it takes longer than the rest of a start.
    text = print_schema and cache(print_schema)

    async def serve_schema(request: Request) -> Response:
        return PlainTextResponse(text and text(), headers=_OPEN)

    return [
        Route("/resumable.js", _module(STATIC / "resumable.js")),
        Route("/static/graphql-ws.js", _module(BUILT / "graphql-ws.js")),
        Mount("/static/assets", ImmutableFiles(directory=BUILT / "assets")),
        *([] if text is None else [Route("/schema.graphql", serve_schema)]),
    ]


def _module(path: Path) -> Callable[[Request], Awaitable[Response]]:
    async def serve_module(request: Request) -> Response:
        return FileResponse(path, media_type="text/javascript", headers=_OPEN)

    return serve_module
