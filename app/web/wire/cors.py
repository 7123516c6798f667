"""Cross-origin requests: CORS headers for the origins in the settings, and protection against forged requests.

Browsers never add a token by themselves, so a foreign page can't act for its visitor. The checks here also protect
deployments whose proxy turns a cookie into a token.
"""

from collections.abc import Mapping

from cross_web import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp
from strawberry.http.websocket_origin import is_same_origin

METHODS = ("GET", "HEAD", "POST")
PREFLIGHT_SECONDS = 3_600
EXPOSED_HEADERS = ("X-Request-ID", "RateLimit", "RateLimit-Policy", "Retry-After", "ETag")
# A page of another origin can't send any of these headers without a preflight.
PREFLIGHTED_HEADERS = (
    "authorization",
    "apollo-require-preflight",
    "x-apollo-operation-name",
    "graphql-require-preflight",
)
_CROSS_ORIGIN_SITES = ("cross-site", "same-site")


class CorsPolicy:
    """The origins whose pages may read responses: a comma-separated setting."""

    def __init__(self, allowed_origins: str | None) -> None:
        self.origins = tuple(origin.strip() for origin in (allowed_origins or "").split(",") if origin.strip())
        exposed = ", ".join(EXPOSED_HEADERS)
        self._header_lines = {
            origin.encode(): f"access-control-expose-headers: {exposed}\r\naccess-control-allow-origin: {origin}\r\n"
            f"vary: Origin\r\n".encode()
            for origin in self.origins
        }

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Add CORS to an application, unless no origin is allowed."""
        if not self.origins:
            return app
        return CORSMiddleware(
            app,
            allow_origins=self.origins,
            allow_methods=METHODS,
            allow_headers=["*"],  # the origin is trusted, whatever its libraries send; cookies are never used
            expose_headers=EXPOSED_HEADERS,
            max_age=PREFLIGHT_SECONDS,
        )

    def header_lines(self, headers: Mapping[bytes, bytes]) -> bytes:
        """The CORS headers of a response that bypasses the middleware."""
        return self._header_lines.get(headers.get(b"origin", b""), b"") if self._header_lines else b""

    def require_same_origin(self, request: Request) -> None:
        """Raises HTTPException for a request that a browser sends for a foreign page without a preflight.

        By POST, such a request can't have a JSON body, so it is refused for its content type.
        """
        headers = request.headers
        if request.method == "POST" or any(name in headers for name in PREFLIGHTED_HEADERS):
            return
        if not _is_cross_origin(request) or headers.get("origin") in self.origins:
            return
        if not _is_json(headers.get("content-type")):
            raise HTTPException(
                403,
                "This request comes from a page of another origin. Send the header Apollo-Require-Preflight or a "
                "token, and have the origin listed in the setting ALLOWED_ORIGINS.",
            )


def _is_cross_origin(request: Request) -> bool:
    headers = request.headers
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in _CROSS_ORIGIN_SITES
    origin = headers.get("origin")
    return origin is not None and not is_same_origin(origin, headers.get("host"))


def _is_json(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == "application/json"
