"""GraphiQL, at `/` and `/graphql` for browsers. Its source is in the folder `graphiql`."""

from collections.abc import Awaitable, Callable, Iterator
from string import Template

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.web.browser import pages
from app.web.browser.assets import BUILT
from app.web.browser.demo import Demo

# The editor needs web workers and inline styles; scripts come from this host only.
_POLICY = (
    "script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:"
)


class Ide:
    """The page with GraphiQL: with a tenant switch in the demo, otherwise with a field for a token."""

    def __init__(self, demo: Demo | None) -> None:
        page = Template((BUILT / "index.html").read_text())
        self._demo = demo
        self._html = {mode: page.substitute(mode=mode) for mode in ("demo", "token")}

    def page_for(self, request: Request) -> Response | None:
        """The page, or None for a request of a program or with a query."""
        if pages.accepts_html(request) and "query" not in request.query_params:
            is_demo = self._demo is not None and self._demo.admits(request)
            return pages.page(self._html["demo" if is_demo else "token"], _POLICY)
        return None


def root_handler(ide: Ide | None, has_schema: bool) -> Callable[[Request], Awaitable[Response]]:
    """The handler of `/`: GraphiQL for browsers, a list of the paths for other clients."""
    lines = [line for line, is_enabled in _path_list(ide is not None, has_schema) if is_enabled]

    async def serve_root(request: Request) -> Response:
        page = ide and ide.page_for(request)
        return page or PlainTextResponse("\n".join(["The image-sharing gateway.", *lines, ""]))

    return serve_root


def _path_list(has_ide: bool, has_schema: bool) -> Iterator[tuple[str, bool]]:
    yield "/graphql          the API: GraphQL over HTTP and WebSocket", True
    yield "/                 GraphiQL, in a browser", has_ide
    yield "/schema.graphql   the schema, with a description of every word", has_schema
    yield "/resumable.js     watches that go on by themselves, for graphql-ws", True
    yield "/livez  /readyz   health", True
