"""Pages of other origins: which of them may ask, and that browsers are told so.

Tokens are sent by programs and never by browsers of themselves, so a page can do nothing in the name of its visitor.
What is refused here could not harm either; but a proxy before the gateway may know visitors by a cookie.
"""

from collections.abc import Mapping

from cross_web import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp
from strawberry.http.websocket_origin import is_same_origin

METHODS = ("GET", "HEAD", "POST")
PREFLIGHT_SECONDS = 3_600
# What a page may read beside the body.
EXPOSED = ("X-Request-ID", "RateLimit", "RateLimit-Policy", "Retry-After", "ETag")
# A page of another origin can't send one of these before its browser has asked whether it may.
FORCING = ("authorization", "apollo-require-preflight", "x-apollo-operation-name", "graphql-require-preflight")
_FOREIGN = ("cross-site", "same-site")


class Origins:
    """Those that the settings list, separated by commas; nobody else's page reads an answer."""

    def __init__(self, listed: str | None) -> None:
        self.listed = tuple(origin.strip() for origin in (listed or "").split(",") if origin.strip())
        exposed = ", ".join(EXPOSED)
        self._lines = {
            origin.encode(): f"access-control-expose-headers: {exposed}\r\naccess-control-allow-origin: {origin}\r\n"
            f"vary: Origin\r\n".encode()
            for origin in self.listed
        }

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application, which answers preflights and tells browsers whose page may read its answers."""
        if not self.listed:
            return app
        return CORSMiddleware(
            app,
            allow_origins=self.listed,
            allow_methods=METHODS,
            allow_headers=["*"],  # the origin is trusted, whatever its libraries send along; cookies never count
            expose_headers=EXPOSED,
            max_age=PREFLIGHT_SECONDS,
        )

    def lines(self, headers: Mapping[bytes, bytes]) -> bytes:
        """What that adds to the headers of an answer, for those who write them themselves."""
        return self._lines.get(headers.get(b"origin", b""), b"") if self._lines else b""

    def require_own(self, request: Request) -> None:
        """Refuse a request that a browser sends for a foreign page without having asked. By POST it can't."""
        headers = request.headers
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if request.method == "POST" or any(name in headers for name in FORCING):
            return
        is_own = origin is None or is_same_origin(origin, headers.get("host"))
        is_foreign = site in _FOREIGN if site is not None else not is_own
        if is_foreign and origin not in self.listed and not _is_json(headers.get("content-type")):
            raise HTTPException(
                403,
                "This comes from a page of another origin. Send the header Apollo-Require-Preflight or a token, "
                "and have the origin listed in the setting ALLOWED_ORIGINS.",
            )


def _is_json(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == "application/json"
