"""What the gateway serves beside its API: modules for front ends."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse

_STATIC = Path(__file__).parent / "static"


async def resumable(request: Request) -> FileResponse:
    """The wrapper that makes the watches of graphql-ws go on behind their cursors, for any page that may import it."""
    headers = {"Cache-Control": "public, max-age=3600", "Access-Control-Allow-Origin": "*"}
    return FileResponse(_STATIC / "resumable.js", media_type="text/javascript", headers=headers)
