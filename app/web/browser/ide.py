"""GraphiQL, at `/` and `/graphql` for browsers. What it is built from is in the folder `graphiql`."""

from collections.abc import Awaitable, Callable, Iterator
from string import Template

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.web.browser import pages
from app.web.browser.assets import BUILT
from app.web.browser.demo import Demo

# The editor's helpers run as workers, and it makes its styles as it goes; scripts come from this host alone.
_POLICY = (
    "script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:"
)


class Ide:
    """The page with GraphiQL: with a switch of tenants in the demo, otherwise with a place for a token."""

    def __init__(self, demo: Demo | None) -> None:
        page = Template((BUILT / "index.html").read_text())
        self._demo = demo
        self._html = {mode: page.substitute(mode=mode) for mode in ("demo", "token")}

    def page_for(self, request: Request) -> Response | None:
        """The page, unless it is a program that asks, or a query was given."""
        if pages.is_wanted(request) and "query" not in request.query_params:
            is_played = self._demo is not None and self._demo.admits(request)
            return pages.page(self._html["demo" if is_played else "token"], _POLICY)
        return None


def front(ide: Ide | None, has_schema: bool) -> Callable[[Request], Awaitable[Response]]:
    """What stands at `/`: the page for browsers, a signpost for all others."""
    signs = [sign for sign, is_there in _signs(ide is not None, has_schema) if is_there]

    async def answer(request: Request) -> Response:
        page = ide and ide.page_for(request)
        return page or PlainTextResponse("\n".join(["The image-sharing gateway.", *signs, ""]))

    return answer


def _signs(has_ide: bool, has_schema: bool) -> Iterator[tuple[str, bool]]:
    yield "/graphql          the API: GraphQL over HTTP and WebSocket", True
    yield "/                 GraphiQL, in a browser", has_ide
    yield "/schema.graphql   the schema, with a description of every word", has_schema
    yield "/resumable.js     watches that go on by themselves, for graphql-ws", True
    yield "/livez  /readyz   health", True
