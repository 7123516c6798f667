"""A lower bound for gateways in Python: the same libraries, `/livez`, and a hand-written list."""

import importlib
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.bench.peers import handwritten

LIBRARIES = """
aiosqlite alembic.command cryptography.hazmat.primitives.ciphers.aead filelock graphql jwt mimeparse orjson
pydantic_settings sqlalchemy.ext.asyncio sqlmodel strawberry strawberry.asgi strawberry.relay structlog typer
websockets
"""


async def livez(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


def main(database: str, port: int) -> None:
    for library in LIBRARIES.split():
        importlib.import_module(library)
    app = Starlette(routes=[*handwritten.routes(database), Route("/livez", livez)])
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
